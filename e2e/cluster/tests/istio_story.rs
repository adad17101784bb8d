//! The whole story with real Istio: its webhook injects the sidecars (native ones), mutual TLS is strict, HTTP, gRPC and
//! TCP go on all the time, every byte is compared, and no request fails from `kubectl apply` to nothing left.

use meshaccel_e2e_cluster::meshaccel::Meshaccel;
use meshaccel_e2e_cluster::{Cluster, Extent, istio, story};
use meshaccel_e2e_harness::failure;

#[test]
fn from_apply_to_delete_no_request_fails() {
    failure::check(|| {
        Cluster::run(Extent::Istio, &["mesh", "node", "operator"], |cluster| {
            let mesh = story::timed("applications applied -> injected and Ready", || istio::apply(cluster))?;
            istio::is_mutual_tls(cluster, &mesh)?;
            let meshaccel = Meshaccel::install(cluster)?;
            mesh.load_goes_on(200)?;
            story::from_apply_to_delete(cluster, &mesh, &meshaccel)?;
            // And again, for edits.
            meshaccel.accelerate("mesh", "Enforce")?;
            meshaccel.wait_redirected(story::LIMIT)?;
            story::edits(&mesh, &meshaccel)?;
            cluster.kubectl(&["delete", "ma", "mesh", "--timeout=40s"])?;
            meshaccel.wait_nothing_left(story::LIMIT)?;
            // Accelerated or not, nothing was let in without a certificate.
            istio::is_mutual_tls(cluster, &mesh)?;
            let counts = mesh.load_goes_on(200)?;
            eprintln!("{} requests, {} connections, 0 failures", counts.requests, counts.connections);
            Ok(())
        })
    });
}
