//! Pods on a real node: the mesh of `e2e/cluster/manifests/mesh.yaml` carries its load, through both sidecars, without a failure.

use anyhow::ensure;
use meshaccel_e2e_cluster::mesh::Mesh;
use meshaccel_e2e_cluster::{Cluster, Extent};
use meshaccel_e2e_harness::failure;
use meshaccel_e2e_mesh::interception::Provider;

#[test]
fn the_mesh_carries_its_load() {
    carries_its_load(Provider::Istio);
}

#[test]
fn the_mesh_carries_its_load_with_linkerds_rules() {
    carries_its_load(Provider::Linkerd);
}

fn carries_its_load(provider: Provider) {
    failure::check(|| {
        Cluster::run(Extent::Node, &["mesh"], |cluster| {
            let mesh = Mesh::apply(cluster, provider)?;
            let counts = mesh.load_goes_on(2000)?;
            ensure!(counts.connections >= 4, "{counts:?}");
            // Nothing went past the sidecars, and TLS ran between them.
            for (app, counter) in [
                ("client", "listener.outbound.downstream_cx_total"),
                ("client", "cluster.outbound_http.ssl.handshake"),
                ("server", "listener.inbound.ssl.handshake"),
                ("server", "cluster.inbound_http1.upstream_cx_total"),
            ] {
                ensure!(mesh.sidecar_counter(app, counter)? > 0, "{counter} of the {app} is 0");
            }
            Ok(())
        })
    });
}

#[test]
fn the_load_outlives_the_control_plane() {
    failure::check(|| {
        Cluster::run(Extent::Node, &["mesh"], |cluster| {
            let mesh = Mesh::apply(cluster, Provider::Istio)?;
            let before = mesh.load_goes_on(100)?;
            cluster.stop_part("kube-apiserver")?;
            ensure!(mesh.counts().is_err(), "the API server still answers");
            cluster.start_part("kube-apiserver")?;
            cluster.await_api_server()?;
            let after = mesh.load_goes_on(1)?;
            ensure!(after.requests > before.requests, "{before:?}, then {after:?}");
            Ok(())
        })
    });
}
