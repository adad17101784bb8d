//! The mesh of `e2e/manifests/mesh.yaml`: two pods with real Envoys, mutual TLS between them, and a load that goes on.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Cluster;
use crate::load::endless::Counts;
use crate::mesh::certificates::Certificates;
use crate::mesh::envoy;
use crate::mesh::interception::Provider;
use crate::wait;

/// Where the pods are.
pub const NAMESPACE: &str = "mesh";
/// Deployments, Services and the like.
const OBJECTS: &str = include_str!("../../manifests/mesh.yaml");
/// Where a sidecar finds its Secret.
const MOUNTED: &str = "/etc/mesh";
/// Images and certificates are there; Envoys take a second.
const START: Duration = Duration::from_secs(90);

/// Everything for `kubectl apply -f -`: the objects, and a Secret for each sidecar with its configuration and
/// certificates, which are made now and hold for a day.
pub fn manifests() -> Result<String> {
    let directory = tempfile::tempdir()?;
    let certificates = Certificates::new(directory.path()).context("cannot make the certificate authority")?;
    let mut stream = OBJECTS.to_owned();
    for (pod, peer) in [("client", "server"), ("server", "client")] {
        certificates.issue(pod, Provider::Istio.proxy_user())?;
        stream += &format!("---\n{:#}\n", secret(pod, peer, &certificates)?);
    }
    Ok(stream)
}

fn secret(pod: &str, peer: &str, certificates: &Certificates) -> Result<Value> {
    let mut data = json!({ "envoy.json": format!("{:#}", envoy::for_container(pod, peer, Path::new(MOUNTED))) });
    for file in ["ca.crt", &format!("{pod}.crt"), &format!("{pod}.key")] {
        data[file] = std::fs::read_to_string(certificates.file(file))?.into();
    }
    Ok(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": format!("mesh-{pod}"), "namespace": NAMESPACE },
        "stringData": data,
    }))
}

/// The mesh in a cluster.
#[derive(Debug)]
pub struct Mesh<'a> {
    cluster: &'a Cluster,
}

impl<'a> Mesh<'a> {
    /// Applies the manifests and waits until both pods are Ready: the client is once its first request succeeded. The
    /// cluster must have the image "mesh".
    pub fn apply(cluster: &'a Cluster) -> Result<Self> {
        cluster.apply(&manifests()?)?;
        for app in ["server", "client"] {
            cluster.wait_ready(NAMESPACE, &format!("app={app}"), START)?;
        }
        Ok(Self { cluster })
    }

    /// What the load generator counted so far.
    pub fn counts(&self) -> Result<Counts> {
        let pods = self.cluster.get_json(&["pods", "-n", NAMESPACE, "-l", "app=client"])?;
        let name = pods["items"][0]["metadata"]["name"].as_str().context("no client pod")?;
        let answer = self.cluster.get_raw(&format!("/api/v1/namespaces/{NAMESPACE}/pods/{name}:15020/proxy/"))?;
        serde_json::from_str(&answer).with_context(|| format!("not counts: {answer}"))
    }

    /// Waits until `more` requests were answered from now on, none of them badly since the start.
    pub fn load_goes_on(&self, more: u64) -> Result<Counts> {
        let before = self.counts()?;
        wait::wait_for(super::PATIENCE, &format!("{more} more requests"), || {
            let now = self.counts()?;
            ensure!(now.requests >= before.requests + more, "{now:?}");
            Ok(now)
        })?
        .check()
    }

    /// A counter of a sidecar, e.g. `listener.inbound.ssl.handshake`, asked from inside its container.
    pub fn sidecar_counter(&self, app: &str, name: &str) -> Result<u64> {
        let path = format!("/stats?filter=^{name}$");
        let target = format!("deployment/{app}");
        let arguments = ["exec", "-n", NAMESPACE, &target, "-c", "istio-proxy", "--", "meshaccel-mesh", "admin", &path];
        envoy::counter_in(&self.cluster.kubectl(&arguments)?, name)
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
        let configuration = envoy::for_container("client", "server", Path::new(MOUNTED)).to_string();
        for file in ["ca.crt", "client.crt", "client.key"] {
            assert!(configuration.contains(&format!("{MOUNTED}/{file}")), "{file}");
        }
    }
}
