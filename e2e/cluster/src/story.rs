//! How most tests of a cluster begin and end: a mesh under load, meshaccel installed, and no request failed. And the story
//! between, for every mesh: from `kubectl apply` to redirected connections and back to nothing.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::{failure, wait};
use meshaccel_e2e_mesh::interception::Provider;
use serde_json::{Value, json};

use super::mesh::{Mesh, NAMESPACE};
use super::meshaccel::{Meshaccel, of_app};
use super::{Cluster, Extent};

/// For each step; what it takes is printed.
pub const LIMIT: Duration = Duration::from_secs(40);

/// Runs `body` on a cluster with the harness's mesh and meshaccel, under load from the beginning to the end.
pub fn with_mesh(provider: Provider, body: impl FnOnce(&Cluster, &Mesh<'_>, &Meshaccel<'_>) -> Result<()>) {
    failure::check(|| {
        Cluster::run(Extent::Node, &["mesh", "node", "operator"], |cluster| {
            let mesh = Mesh::apply(cluster, provider)?;
            let meshaccel = Meshaccel::install(cluster)?;
            mesh.load_goes_on(200)?;
            body(cluster, &mesh, &meshaccel)?;
            mesh.load_goes_on(200).map(drop)
        })
    });
}

/// The same with Istio's rules, once the object "mesh" is programmed and connections of both pods are redirected.
pub fn with_accelerated_mesh(body: impl FnOnce(&Cluster, &Mesh<'_>, &Meshaccel<'_>) -> Result<()>) {
    with_mesh(Provider::Istio, |cluster, mesh, meshaccel| {
        meshaccel.accelerate("mesh", "Enforce")?;
        meshaccel.wait_redirected(LIMIT)?;
        meshaccel.wait_condition("mesh", "Programmed", "True", LIMIT)?;
        body(cluster, mesh, meshaccel)
    });
}

/// Runs `body` and says how long it took.
pub fn timed<T>(what: &str, body: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let result = body()?;
    eprintln!("{what}: {:.1} s", start.elapsed().as_secs_f64());
    Ok(result)
}

/// Applies an object for the mesh, edits it, deletes it.
pub fn from_apply_to_delete(cluster: &Cluster, mesh: &Mesh<'_>, meshaccel: &Meshaccel<'_>) -> Result<()> {
    meshaccel.nothing_is_left()?;
    let apply = |mode| timed("kubectl apply", || meshaccel.accelerate("mesh", mode));
    apply("Enforce")?;
    timed("applied -> redirected, the daemon's first start included", || meshaccel.wait_redirected_in_kernel(LIMIT))?;
    // As a person sees it.
    meshaccel.wait_redirected(LIMIT)?;
    let object = meshaccel.wait_condition("mesh", "Programmed", "True", LIMIT)?;
    let pods = cluster.get_json(&["pods", "-n", NAMESPACE])?["items"].as_array().map_or(0, Vec::len);
    ensure!(
        object["status"]["nodes"]["ready"] == 1 && object["status"]["pods"] == pods,
        "{pods} pods, {}",
        object["status"]
    );
    mesh.load_goes_on(500)?;

    apply("Observe")?;
    timed("mode Observe -> no socket in the SOCKHASH", || {
        wait::wait_for(LIMIT, "every connection to be back on TCP", || {
            let rows = meshaccel.connections_in_kernel()?;
            let promoted = rows.iter().filter(|row| row["promoted"] == true).count();
            let paired = rows.iter().filter(|row| row["paired"] == true).count();
            ensure!(promoted == 0 && paired > 0, "{promoted} promoted, {paired} paired");
            Ok(())
        })
    })?;
    meshaccel.wait_condition("mesh", "Programmed", "True", LIMIT)?;
    mesh.load_goes_on(200)?;
    apply("Enforce")?;
    timed("mode Enforce -> redirected", || meshaccel.wait_redirected_in_kernel(LIMIT))?;

    timed("deleted -> nothing left", || {
        cluster.kubectl(&["delete", "ma", "mesh", "--wait=false"])?;
        meshaccel.wait_nothing_left(LIMIT)
    })
}

/// Edits the object of a mesh that is accelerated: ports, selector, off; and back each time.
pub fn edits(mesh: &Mesh<'_>, meshaccel: &Meshaccel<'_>) -> Result<()> {
    let edit = |what: &str, spec: Value, then: &dyn Fn() -> Result<()>| -> Result<()> {
        meshaccel.accelerate_as("mesh", &spec)?;
        timed(what, || wait::wait_for(LIMIT, what, then))?;
        meshaccel.wait_condition("mesh", "Programmed", "True", LIMIT)?;
        mesh.load_goes_on(200).map(drop)
    };
    let back = || meshaccel.wait_redirected_in_kernel(LIMIT);

    edit("ports excluded -> on TCP", json!({"redirect": {"excludedPorts": mesh.ports()}}), &|| {
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
}

/// Whether these applications' pods have sockets in the SOCKHASH.
fn promoted_is(meshaccel: &Meshaccel<'_>, apps: &[&str], expected: bool) -> Result<()> {
    let rows = meshaccel.connections_in_kernel()?;
    for app in apps {
        let promoted = of_app(&rows, app).into_iter().filter(|row| row["promoted"] == true).count();
        ensure!((promoted > 0) == expected, "{promoted} sockets of the {app} are in the SOCKHASH");
    }
    Ok(())
}
