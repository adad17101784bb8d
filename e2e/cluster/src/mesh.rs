//! The mesh of `e2e/cluster/manifests/mesh.yaml`: two pods with real Envoys, mutual TLS between them, and a load that goes on; with
//! Istio's rules or Linkerd's. What can be asked of it can be asked of another one, too ([`Kind`]).

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::wait;
use meshaccel_e2e_load::endless::Counts;
use meshaccel_e2e_mesh::certificates::Certificates;
use meshaccel_e2e_mesh::envoy;
use meshaccel_e2e_mesh::interception::Provider;
use serde_json::{Value, json};

use super::Cluster;

/// Where the pods are.
pub const NAMESPACE: &str = "mesh";
/// Deployments, Services and the like.
const OBJECTS: &str = include_str!("../manifests/mesh.yaml");
/// Where a sidecar finds its Secret.
const MOUNTED: &str = "/etc/mesh";
/// Images and certificates are there; Envoys take a second.
const START: Duration = Duration::from_secs(90);

/// What Linkerd's injector writes where Istio's writes something else.
const LINKERD: [(&str, &str); 5] = [
    (
        r#"{sidecar.istio.io/status: '{"initContainers":["istio-init","istio-proxy"],"containers":null}'}"#,
        "{linkerd.io/inject: enabled}",
    ),
    (
        r#"command: [meshaccel-mesh]
          # As Istio's injector writes them.
          args: [istio-iptables, -p, "15001", -z, "15006", -u, "1337", -m, REDIRECT, -i, "*", -x, "", -b, "*", -d, "15090,15021,15020"]"#,
        r#"command: [proxy-init]
          args: [--incoming-proxy-port, "4143", --outgoing-proxy-port, "4140", --proxy-uid, "2102", --inbound-ports-to-ignore, "4190,4191,4567,4568,15020,15021", --outbound-ports-to-ignore, "4567,4568"]"#,
    ),
    ("istio-init", "linkerd-init"),
    ("istio-proxy", "linkerd-proxy"),
    ("1337", "2102"),
];

/// Everything for `kubectl apply -f -`: the objects, and a Secret for each sidecar with its configuration and
/// certificates, which are made now and hold for a day.
pub fn manifests(provider: Provider) -> Result<String> {
    let directory = tempfile::tempdir()?;
    let certificates = Certificates::new(directory.path()).context("cannot make the certificate authority")?;
    let mut stream = objects(provider);
    for (pod, peer) in [("client", "server"), ("server", "client")] {
        certificates.issue(pod, provider.proxy_user())?;
        stream += &format!("---\n{:#}\n", secret(pod, peer, provider, &certificates)?);
    }
    Ok(stream)
}

fn objects(provider: Provider) -> String {
    match provider {
        Provider::Istio => OBJECTS.to_owned(),
        Provider::Linkerd => {
            LINKERD.iter().fold(OBJECTS.to_owned(), |text, (istio, linkerd)| text.replace(istio, linkerd))
        }
    }
}

fn secret(pod: &str, peer: &str, provider: Provider, certificates: &Certificates) -> Result<Value> {
    let configuration = envoy::for_container(pod, peer, provider, Path::new(MOUNTED));
    let mut data = json!({ "envoy.json": format!("{configuration:#}") });
    for file in ["ca.crt", &format!("{pod}.crt"), &format!("{pod}.key")] {
        data[file] = std::fs::read_to_string(certificates.file(file))?.into();
    }
    Ok(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": format!("mesh-{pod}"), "namespace": NAMESPACE },
        "stringData": data,
    }))
}

/// How the mesh is asked.
#[derive(Debug)]
pub struct Kind {
    /// Ports of the client pod: each serves the counts of one load.
    pub loads: &'static [u16],
    /// Ports of the server pod's application.
    pub ports: &'static [u16],
    /// The sidecar.
    pub container: &'static str,
    /// Asks a sidecar's Envoy from inside its container, for the path that follows.
    pub admin: &'static [&'static str],
    /// The path of its counters.
    pub stats: &'static str,
}

/// The one of this file.
const OWN: Kind = Kind {
    loads: &[15020],
    ports: &[8080],
    container: "istio-proxy",
    admin: &["meshaccel-mesh", "admin"],
    stats: "/stats",
};
/// The same with Linkerd's rules.
const LINKERD_OWN: Kind = Kind { container: "linkerd-proxy", ..OWN };

/// The mesh in a cluster.
#[derive(Debug)]
pub struct Mesh<'a> {
    cluster: &'a Cluster,
    kind: &'static Kind,
}

impl<'a> Mesh<'a> {
    /// Applies the manifests and waits until both pods are Ready: the client is once its first request succeeded. The
    /// cluster must have the image "mesh".
    pub fn apply(cluster: &'a Cluster, provider: Provider) -> Result<Self> {
        let kind = match provider {
            Provider::Istio => &OWN,
            Provider::Linkerd => &LINKERD_OWN,
        };
        Self::apply_kind(cluster, kind, &manifests(provider)?)
    }

    /// The same for one that has other objects. Its pods are called the same.
    pub(super) fn apply_kind(cluster: &'a Cluster, kind: &'static Kind, objects: &str) -> Result<Self> {
        cluster.apply(objects)?;
        for app in ["server", "client"] {
            cluster.wait_ready(NAMESPACE, &format!("app={app}"), START)?;
        }
        Ok(Self { cluster, kind })
    }

    /// Ports of the server pod's application.
    pub fn ports(&self) -> &'static [u16] {
        self.kind.ports
    }

    /// What each load counted so far.
    fn counts_of_each(&self) -> Result<Vec<Counts>> {
        let name = self.cluster.pod_name(NAMESPACE, "app=client")?;
        let counts = self.kind.loads.iter().map(|port| {
            let answer = self.cluster.get_raw(&format!("/api/v1/namespaces/{NAMESPACE}/pods/{name}:{port}/proxy/"))?;
            serde_json::from_str(&answer).with_context(|| format!("not counts: {answer}"))
        });
        counts.collect()
    }

    /// What all loads together counted so far.
    pub fn counts(&self) -> Result<Counts> {
        Ok(self.counts_of_each()?.into_iter().fold(Counts::default(), Counts::and))
    }

    /// Waits until every load was answered `more` requests from now on, none of them badly since the start.
    pub fn load_goes_on(&self, more: u64) -> Result<Counts> {
        let before = self.counts_of_each()?;
        let all = wait::wait_for(super::PATIENCE, &format!("{more} more requests of each load"), || {
            let now = self.counts_of_each()?;
            let gone_on = before.iter().zip(&now).all(|(before, now)| now.requests >= before.requests + more);
            ensure!(gone_on, "{before:?}, then {now:?}");
            Ok(now)
        })?;
        all.into_iter().fold(Counts::default(), Counts::and).check()
    }

    /// A counter of a sidecar, e.g. `listener.inbound.ssl.handshake`, asked from inside its container.
    pub fn sidecar_counter(&self, app: &str, name: &str) -> Result<u64> {
        let said = self.sidecar_stats(app, &format!("^{name}$"))?;
        envoy::counter_in(&said, name)
    }

    /// The lines of a sidecar's counters that a regular expression matches.
    pub fn sidecar_stats(&self, app: &str, expression: &str) -> Result<String> {
        let path = format!("{}?filter={expression}", self.kind.stats);
        let target = format!("deployment/{app}");
        let arguments = ["exec", "-n", NAMESPACE, &target, "-c", self.kind.container, "--"];
        self.cluster.kubectl(&[&arguments, self.kind.admin, &[&path]].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the Deployments mount is what is generated.
    #[test]
    fn every_secret_that_is_mounted_is_made() {
        for pod in ["client", "server"] {
            assert!(OBJECTS.contains(&format!("secretName: mesh-{pod}}}")), "{pod}");
        }
        let configuration = envoy::for_container("client", "server", Provider::Istio, Path::new(MOUNTED)).to_string();
        for file in ["ca.crt", "client.crt", "client.key"] {
            assert!(configuration.contains(&format!("{MOUNTED}/{file}")), "{file}");
        }
    }

    /// What is replaced is all there; and both injectors' pods are told apart by nothing else.
    #[test]
    fn of_linkerds_pods_nothing_is_istios() {
        for (istio, _) in &LINKERD[..2] {
            assert_eq!(OBJECTS.matches(istio).count(), 2, "{istio}");
        }
        let objects = objects(Provider::Linkerd);
        let said: Vec<_> = objects.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        let said = said.join("\n");
        assert!(!said.contains("istio") && !said.contains("1337") && said.contains("runAsUser: 2102"), "{said}");
    }
}
