//! An object that is edited under load is followed, as far as its words go and no further.

use anyhow::ensure;
use meshaccel_e2e_cluster::story::{LIMIT, edits, with_accelerated_mesh, with_mesh};
use meshaccel_e2e_mesh::interception::Provider;
use serde_json::Value;

#[test]
fn edits_are_followed_and_no_request_fails() {
    with_accelerated_mesh(|_, mesh, meshaccel| edits(mesh, meshaccel));
}

/// Observe is proved by the kernel's own table, not by what the daemon says of it.
#[test]
fn observing_puts_nothing_into_the_sockhash_and_tells_what_it_would() {
    with_mesh(Provider::Istio, |_, mesh, meshaccel| {
        meshaccel.accelerate("mesh", "Observe")?;
        meshaccel.wait_condition("mesh", "Programmed", "True", LIMIT)?;
        let observed = |report: &Value| {
            let shares = report["status"]["accelerations"].as_array();
            shares.is_some_and(|shares| shares.iter().any(|share| share["observedConnections"].as_i64() >= Some(8)))
        };
        let report = meshaccel.wait_report("connections that would be redirected", LIMIT, observed)?;
        ensure!(report["status"]["connections"] == 0, "{}", report["status"]);
        for _ in 0..3 {
            mesh.load_goes_on(300)?;
            let entries = meshaccel.sockets()?;
            ensure!(entries == 0, "{entries} sockets are in the SOCKHASH");
        }
        ensure!(meshaccel.redirected_messages()? == 0, "messages were redirected");
        // The same questions have other answers as soon as it enforces.
        meshaccel.accelerate("mesh", "Enforce")?;
        meshaccel.wait_redirected(LIMIT)?;
        ensure!(meshaccel.sockets()? > 0, "nothing is in the SOCKHASH");
        ensure!(meshaccel.redirected_messages()? > 0, "no message was redirected");
        Ok(())
    });
}
