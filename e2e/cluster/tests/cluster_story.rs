//! The whole story on a real node: from `kubectl apply` to redirected connections and back to nothing, under a load that
//! compares every byte and of which no request may fail.

use std::time::Duration;

use anyhow::ensure;
use meshaccel_e2e_cluster::meshaccel::NAMESPACE;
use meshaccel_e2e_cluster::story::{self, LIMIT, timed, with_accelerated_mesh, with_mesh};
use meshaccel_e2e_mesh::interception::Provider;

#[test]
fn from_apply_to_delete_no_request_fails() {
    with_mesh(Provider::Istio, story::from_apply_to_delete);
}

#[test]
fn from_apply_to_delete_no_request_fails_with_linkerds_rules() {
    with_mesh(Provider::Linkerd, story::from_apply_to_delete);
}

#[test]
fn what_dies_comes_back_and_no_request_fails() {
    with_accelerated_mesh(|cluster, mesh, meshaccel| {
        for _ in 0..3 {
            cluster.kubectl(&[
                "delete",
                "pod",
                "-n",
                NAMESPACE,
                "-l",
                "app.kubernetes.io/name=meshaccel-node",
                "--now",
            ])?;
            mesh.load_goes_on(200)?;
        }
        timed("daemon deleted -> redirected connections reported", || meshaccel.wait_redirected(LIMIT))?;

        // Both replicas at once: what is asked meanwhile is done by their successors.
        let operator = "app.kubernetes.io/name=meshaccel-operator";
        cluster.kubectl(&["delete", "pod", "-n", NAMESPACE, "-l", operator, "--force", "--grace-period=0"])?;
        meshaccel.accelerate("mesh", "Observe")?;
        timed("operator killed -> status true", || meshaccel.wait_condition("mesh", "Programmed", "True", LIMIT))?;
        meshaccel.accelerate("mesh", "Enforce")?;
        meshaccel.wait_redirected(LIMIT)?;

        // Without an API server nobody can ask; afterwards the load has gone on.
        let before = mesh.load_goes_on(1)?;
        cluster.stop_part("kube-apiserver")?;
        std::thread::sleep(Duration::from_secs(20));
        cluster.start_part("kube-apiserver")?;
        cluster.await_api_server()?;
        let after = mesh.load_goes_on(1)?;
        ensure!(after.requests > before.requests + 100, "{before:?}, then {after:?}");
        timed("API server back -> redirected connections reported", || meshaccel.wait_redirected(LIMIT))?;

        cluster.kubectl(&["delete", "ma", "mesh", "--timeout=40s"])?;
        meshaccel.wait_nothing_left(LIMIT)
    });
}
