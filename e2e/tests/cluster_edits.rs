//! An object that is edited under load is followed, as far as its words go and no further.

use anyhow::{Result, ensure};
use meshaccel_e2e::cluster::meshaccel::Meshaccel;
use meshaccel_e2e::cluster::story::{LIMIT, timed, with_accelerated_mesh, with_mesh};
use meshaccel_e2e::mesh::interception::Provider;
use meshaccel_e2e::wait::wait_for;
use serde_json::{Value, json};

/// Port of the server's application, as clients name it.
const SERVER_PORT: u16 = 8080;

#[test]
fn edits_are_followed_and_no_request_fails() {
    with_accelerated_mesh(|_, mesh, meshaccel| {
        let edit = |what: &str, spec: Value, then: &dyn Fn() -> Result<()>| -> Result<()> {
            meshaccel.accelerate_as("mesh", &spec)?;
            timed(what, || wait_for(LIMIT, what, then))?;
            meshaccel.wait_condition("mesh", "Programmed", "True", LIMIT)?;
            mesh.load_goes_on(200).map(drop)
        };
        let back = || meshaccel.wait_redirected(LIMIT);

        edit("the port excluded -> on TCP", json!({"redirect": {"excludedPorts": [SERVER_PORT]}}), &|| {
            promoted_is(meshaccel, &["client", "server"], false)
        })?;
        edit("included again -> redirected", json!({}), &back)?;

        edit(
            "selector without the server -> its connections on TCP",
            json!({"podSelector": {"matchLabels": {"app": "client"}}}),
            &|| {
                promoted_is(meshaccel, &["server"], false)?;
                promoted_is(meshaccel, &["client"], true)
            },
        )?;
        let object = meshaccel.wait_status("mesh", "one pod", LIMIT, |status| status["pods"] == 1)?;
        ensure!(object["status"]["nodes"]["ready"] == 1, "{}", object["status"]);
        edit("selected again -> redirected", json!({}), &back)?;

        edit("redirection disabled -> on TCP", json!({"redirect": {"enabled": false}}), &|| {
            promoted_is(meshaccel, &["client", "server"], false)
        })?;
        edit("enabled again -> redirected", json!({}), &back)
    });
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

/// Whether these applications' pods have sockets in the SOCKHASH.
fn promoted_is(meshaccel: &Meshaccel<'_>, apps: &[&str], expected: bool) -> Result<()> {
    for app in apps {
        let promoted = meshaccel.connections_of(app)?.iter().filter(|row| row["promoted"] == true).count();
        ensure!((promoted > 0) == expected, "{promoted} sockets of the {app} are in the SOCKHASH");
    }
    Ok(())
}
