//! What dies, goes back in time or is meddled with: the status comes out true, and no request fails.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_cluster::Cluster;
use meshaccel_e2e_cluster::meshaccel::NAMESPACE;
use meshaccel_e2e_cluster::story::{LIMIT, timed, with_accelerated_mesh};
use meshaccel_e2e_harness::wait::wait_for;
use serde_json::json;

const RESOURCE: &str = "meshaccel.dev/v1alpha1/meshaccelerations";
const OPERATOR: &str = "app.kubernetes.io/name=meshaccel-operator";

#[test]
fn an_operator_killed_outright_is_replaced() {
    with_accelerated_mesh(|cluster, mesh, meshaccel| {
        for (who, leads, mode) in [("leader", true, "Observe"), ("follower", false, "Enforce")] {
            let holder = holder(cluster)?;
            let pods = cluster.get_json(&["pods", "-n", NAMESPACE, "-l", OPERATOR])?;
            let names =
                pods["items"].as_array().into_iter().flatten().filter_map(|pod| pod["metadata"]["name"].as_str());
            let victim = names.clone().find(|name| holder.starts_with(&format!("{name}_")) == leads);
            let victim = victim.with_context(|| format!("no {who}; the Lease is held by {holder}"))?;
            ensure!(cluster.kill_processes(NAMESPACE, victim, "meshaccel-opera")? > 0, "nothing of the {who} ran");
            meshaccel.accelerate("mesh", mode)?;
            timed(&format!("{who} killed -> status true"), || {
                meshaccel.wait_condition("mesh", "Programmed", "True", LIMIT)
            })?;
            mesh.load_goes_on(100)?;
            cluster.wait_ready(NAMESPACE, OPERATOR, LIMIT)?;
        }
        meshaccel.wait_redirected(LIMIT)
    });
}

fn holder(cluster: &Cluster) -> Result<String> {
    let lease = cluster.get_json(&["lease", "-n", NAMESPACE, "meshaccel-operator"])?;
    lease["spec"]["holderIdentity"].as_str().map(str::to_owned).context("nobody holds the Lease")
}

/// A restored backup: revisions go back, and what was changed since has never been. Every watch is told that what it asks
/// for is gone (410), and must list anew.
#[test]
fn an_older_state_of_etcd_is_followed() {
    with_accelerated_mesh(|cluster, mesh, meshaccel| {
        let control_plane = |part_way: &dyn Fn() -> Result<()>| -> Result<()> {
            for part in ["kube-apiserver", "etcd"] {
                cluster.stop_part(part)?;
            }
            part_way()?;
            for part in ["etcd", "kube-apiserver"] {
                cluster.start_part(part)?;
            }
            cluster.await_api_server()
        };
        let version = cluster.get_json(&["ma", "mesh"])?["metadata"]["resourceVersion"].clone();
        control_plane(&|| cluster.save_state())?;
        let answer = watch_since(cluster, version.as_str().context("no resourceVersion")?)?;
        ensure!(answer.contains("\"code\":410"), "a watch goes on across the restart: {answer}");
        meshaccel.accelerate("mesh", "Observe")?;
        timed("API server back, edited -> on TCP", || {
            wait_for(LIMIT, "every connection to be on TCP", || {
                let entries = meshaccel.sockets()?;
                ensure!(entries == 0, "{entries} sockets are in the SOCKHASH");
                Ok(())
            })
        })?;
        let newer = meshaccel.wait_condition("mesh", "Programmed", "True", LIMIT)?;

        let before = mesh.load_goes_on(1)?;
        control_plane(&|| cluster.restore_state())?;
        let object = timed("older state restored -> status true", || {
            meshaccel.wait_condition("mesh", "Programmed", "True", LIMIT)
        })?;
        ensure!(object["spec"]["mode"] == "Enforce", "{}", object["spec"]);
        ensure!(object["metadata"]["generation"] != newer["metadata"]["generation"], "the state is not older");
        meshaccel.wait_redirected(LIMIT)?;
        let after = mesh.load_goes_on(100)?;
        ensure!(after.requests > before.requests, "{before:?}, then {after:?}");

        cluster.kubectl(&["delete", "ma", "mesh", "--timeout=60s"])?;
        meshaccel.wait_nothing_left(LIMIT)
    });
}

/// What the API server answers to a watch that goes on from there.
fn watch_since(cluster: &Cluster, version: &str) -> Result<String> {
    cluster.get_raw(&format!("/apis/{RESOURCE}?watch=1&timeoutSeconds=1&resourceVersion={version}"))
}

/// Another controller or a person writes what is meshaccel's.
#[test]
fn what_others_write_into_its_objects_is_put_right() {
    with_accelerated_mesh(|cluster, mesh, meshaccel| {
        let daemon = ["daemonset", "meshaccel-node", "-n", NAMESPACE];
        let meddled = json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "meshaccel-node", "namespace": NAMESPACE},
            "spec": {"template": {"spec": {"containers": [{"name": "node", "image": "localhost/somebody/else:1"}]}}},
        });
        let arguments = ["apply", "--server-side", "--force-conflicts", "--field-manager=somebody", "-f", "-"];
        cluster.kubectl_with(&arguments, &meddled.to_string())?;
        let image = |object: &serde_json::Value| {
            object["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap_or_default().to_owned()
        };
        timed("DaemonSet meddled with -> put right", || {
            cluster.wait_for("the image to be meshaccel's", LIMIT, &daemon, |object| {
                image(object).starts_with("localhost/meshaccel/node:")
            })
        })?;
        cluster.kubectl(&["delete", "daemonset", "meshaccel-node", "-n", NAMESPACE, "--wait=false"])?;
        timed("DaemonSet deleted -> there again, redirected", || {
            cluster.wait_for("the daemon to run", LIMIT, &daemon, |object| {
                object["metadata"]["deletionTimestamp"].is_null() && object["status"]["numberReady"] == 1
            })?;
            meshaccel.wait_redirected(LIMIT)
        })?;

        let lie = json!({"status": {"pods": 4711, "nodes": {"desired": 99, "ready": 99}}}).to_string();
        cluster.kubectl(&["patch", "ma", "mesh", "--subresource=status", "--type=merge", "-p", &lie])?;
        timed("status meddled with -> true again", || {
            meshaccel.wait_status("mesh", "true counts", LIMIT, |status| {
                status["pods"] == 2 && status["nodes"]["desired"] == 1 && status["nodes"]["ready"] == 1
            })
        })?;

        let bare = json!({"metadata": {"finalizers": null}}).to_string();
        cluster.kubectl(&["patch", "ma", "mesh", "--type=merge", "-p", &bare])?;
        cluster.wait_for("the finalizer to be there again", LIMIT, &["ma", "mesh"], |object| {
            object["metadata"]["finalizers"][0] == "meshaccel.dev/programs-gone"
        })?;
        mesh.load_goes_on(100)?;
        cluster.kubectl(&["delete", "ma", "mesh", "--timeout=60s"])?;
        timed("deleted -> nothing left", || meshaccel.wait_nothing_left(Duration::from_secs(60)))
    });
}
