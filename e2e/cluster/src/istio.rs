//! Applications behind the sidecars that Istio injects: `e2e/cluster/manifests/istio.yaml`, in a cluster that was started with
//! [`Extent::Istio`](super::Extent::Istio).

use anyhow::{Result, bail, ensure};

use super::Cluster;
use super::mesh::{Kind, Mesh, NAMESPACE};

/// Images of Istio and of what it needs.
pub const IMAGES: [&str; 4] = ["coredns", "pilot", "proxyv2", "echo"];
/// Deployments, Services and the like.
pub const OBJECTS: &str = include_str!("../manifests/istio.yaml");

/// HTTP, gRPC, TCP.
const KIND: Kind = Kind {
    loads: &[9101, 9102, 9103],
    ports: &[8080, 7070, 9000],
    container: "istio-proxy",
    admin: &["pilot-agent", "request", "GET"],
    stats: "stats",
};

/// Applies the manifests and waits until client and server are Ready: the client is once the first request of each load
/// succeeded.
pub fn apply(cluster: &Cluster) -> Result<Mesh<'_>> {
    let mesh = Mesh::apply_kind(cluster, &KIND, OBJECTS)?;
    cluster.wait_ready(NAMESPACE, "app=outsider", super::PATIENCE)?;
    Ok(mesh)
}

/// What Istio's own client says of one request from the pod of `app`; a request without an answer is an error.
fn ask(cluster: &Cluster, app: &str, url: &str) -> Result<String> {
    let target = format!("deployment/{app}");
    let arguments = ["exec", "-n", NAMESPACE, &target, "-c", "echo", "--", "echo-client", "--timeout=5s", url];
    let finished = cluster.try_kubectl(&arguments, "")?;
    // It says what went wrong on its standard output.
    ensure!(finished.code == Some(0), "{}{}", finished.stdout, finished.stderr);
    Ok(finished.stdout)
}

/// Everything between the pods is mutual TLS between the identities that Istio gave them.
pub fn is_mutual_tls(cluster: &Cluster, mesh: &Mesh<'_>) -> Result<()> {
    let identity = ask(cluster, "client", "http://server:8080/identity")?;
    let wanted = format!("URI=spiffe://cluster.local/ns/{NAMESPACE}/sa/client");
    ensure!(identity.contains(&wanted), "the server's sidecar saw somebody else than {wanted}:\n{identity}");
    for url in ["http://server:8080/small", "tcp://server:9000", "grpc://server:7070"] {
        // The sidecar lets it connect, sees no TLS, and hangs up. Nothing else is a refusal of plain text.
        match ask(cluster, "outsider", url) {
            Ok(answer) => bail!("{url} answers in plain text:\n{answer}"),
            Err(error) => {
                let said = format!("{error:#}");
                ensure!(
                    ["reset by peer", "broken pipe", "EOF"].iter().any(|end| said.contains(end)),
                    "{url} failed otherwise: {said}"
                );
            }
        }
    }
    let handshakes = mesh.sidecar_stats("server", r"^listener\..*ssl\.handshake$")?;
    let count: u64 = handshakes.lines().filter_map(|line| line.rsplit(": ").next()?.parse::<u64>().ok()).sum();
    ensure!(count > 0, "the server's sidecar counts no TLS handshake:\n{handshakes}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the client pod serves is what is asked for, and may be asked without a certificate.
    #[test]
    fn every_load_has_its_port() {
        let ports: Vec<String> = KIND.loads.iter().map(u16::to_string).collect();
        assert!(OBJECTS.contains(&format!("excludeInboundPorts: \"{}\"", ports.join(","))));
        for port in ports {
            assert!(OBJECTS.contains(&format!("--status, \"0.0.0.0:{port}\"")), "{port}");
        }
    }
}
