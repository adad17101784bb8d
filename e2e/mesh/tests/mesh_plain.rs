//! The mesh itself, without acceleration: what the accelerated tests compare with must be real.

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::failure;
use meshaccel_e2e_mesh::exercise::{self, Servers};
use meshaccel_e2e_mesh::files::{self, Http};
use meshaccel_e2e_mesh::interception::Provider;
use meshaccel_e2e_mesh::{Mesh, envoy};

#[test]
fn everything_works_with_istios_rules() {
    failure::check(|| plain(Provider::Istio));
}

#[test]
fn everything_works_with_linkerds_rules() {
    failure::check(|| plain(Provider::Linkerd));
}

fn plain(provider: Provider) -> Result<()> {
    let mut mesh = Mesh::start(provider, 2)?;
    let _servers = Servers::start(&mesh)?;
    exercise::everything(&mesh)?;
    mesh.check_sidecars()?;
    for address in exercise::addresses(&mesh) {
        // Only a sidecar that was shown a certificate can know this name.
        let identity = files::fetch(mesh.client(), address, Http::One, "identity")?;
        let identity = String::from_utf8(identity)?;
        ensure!(identity.contains("URI=spiffe://cluster.local/ns/default/sa/client"), "not mutual TLS: {identity:?}");
    }
    // Nothing went past the sidecars: both saw connections, and TLS ran between them.
    for (pod, counter) in [
        (mesh.client(), "listener.outbound.downstream_cx_total"),
        (mesh.server(), "listener.inbound.downstream_cx_total"),
        (mesh.server(), "listener.inbound.ssl.handshake"),
        (mesh.client(), "cluster.outbound_tcp.ssl.handshake"),
        (mesh.server(), "cluster.inbound_tcp.upstream_cx_total"),
    ] {
        ensure!(envoy::counter(pod, counter)? >= 10, "{counter} of the {} is too small", pod.name());
    }
    Ok(())
}
