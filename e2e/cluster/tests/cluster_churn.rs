//! Pods, namespaces and nodes that come and go: nothing of them stays behind, neither in the kernel nor in the status.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_cluster::Cluster;
use meshaccel_e2e_cluster::mesh::{self, Mesh};
use meshaccel_e2e_cluster::story::{LIMIT, timed, with_accelerated_mesh};
use meshaccel_e2e_harness::wait::wait_for;
use meshaccel_e2e_mesh::interception::Provider;
use serde_json::{Value, json};

/// Pods of one wave: a kubelet takes 110 at most.
const WAVE: usize = 50;
const WAVES: usize = 4;
/// Fifty pods on two processors.
const STARTS: Duration = Duration::from_secs(120);

#[test]
fn waves_of_pods_leave_nothing_behind() {
    with_accelerated_mesh(|cluster, mesh, meshaccel| {
        cluster.apply(&pausing_pods())?;
        let spec = json!({
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "waves"}}, "mesh": {"provider": "Custom"},
        });
        meshaccel.accelerate_as("waves", &spec)?;
        let alone = meshaccel.map_keys("ma_policies")?;
        for wave in 1..=WAVES {
            let scale = |count: usize| {
                cluster.kubectl(&["scale", "deployment/waves", "-n", "waves", &format!("--replicas={count}")]).map(drop)
            };
            scale(WAVE)?;
            timed(&format!("wave {wave} comes"), || {
                meshaccel.wait_status("waves", "a wave of pods", STARTS, |status| status["pods"] == WAVE)
            })?;
            scale(0)?;
            timed(&format!("wave {wave} goes"), || {
                meshaccel.wait_status("waves", "no pod", STARTS, |status| status["pods"] == 0)
            })?;
            mesh.load_goes_on(100)?;
        }
        // Slots of network namespaces that are gone are given back at the next full resync.
        wait_for(LIMIT, "the slots to be free", || {
            let now = meshaccel.map_keys("ma_pods")?;
            ensure!(now == 2, "{now} network namespaces in ma_pods");
            Ok(())
        })?;
        ensure!(meshaccel.map_keys("ma_policies")? == alone, "policies are left");
        meshaccel.wait_redirected(LIMIT)?;
        cluster.kubectl(&["delete", "ma", "mesh", "waves", "--timeout=60s"])?;
        meshaccel.wait_nothing_left(LIMIT)
    });
}

fn pausing_pods() -> String {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "waves"}});
    let labels = json!({"app": "waves"});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "waves", "namespace": "waves"},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {
                "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "pause", "image": "localhost/meshaccel/pause:dev", "imagePullPolicy": "Never"}],
            }},
        },
    });
    format!("{namespace}\n---\n{deployment}")
}

#[test]
fn a_namespace_deleted_and_a_node_drained_come_back() {
    with_accelerated_mesh(|cluster, mesh, meshaccel| {
        let gone = |what: &str| -> Result<()> {
            timed(what, || meshaccel.wait_status("mesh", "no pod", LIMIT, |status| status["pods"] == 0))?;
            wait_for(LIMIT, "nothing of the pods to be recorded", || {
                let (rows, pods) = (meshaccel.connections()?.len(), meshaccel.map_keys("ma_pods")?);
                ensure!(rows == 0 && pods == 0, "{rows} sockets, {pods} pods");
                Ok(())
            })
        };
        // Their load ends with the pods: until then, nothing of it may have failed.
        mesh.load_goes_on(100)?;
        cluster.kubectl(&["drain", "node-0", "--pod-selector=app in (client,server)", "--force", "--timeout=60s"])?;
        gone("drained -> status without pods")?;
        cluster.kubectl(&["uncordon", "node-0"])?;
        for app in ["server", "client"] {
            cluster.wait_ready(mesh::NAMESPACE, &format!("app={app}"), STARTS)?;
        }
        timed("uncordoned -> redirected", || meshaccel.wait_redirected(LIMIT))?;
        mesh.load_goes_on(100)?;

        cluster.kubectl(&["delete", "namespace", mesh::NAMESPACE, "--timeout=60s"])?;
        gone("namespace deleted -> status without pods")?;
        let object = meshaccel.wait_condition("mesh", "Programmed", "True", LIMIT)?;
        ensure!(object["status"]["connections"] == 0, "{}", object["status"]);
        Mesh::apply(cluster, Provider::Istio)?;
        timed("namespace there again -> redirected", || meshaccel.wait_redirected(LIMIT))
    });
}

/// A node without a machine: an object that somebody keeps alive, and a report that claims to run the programs.
#[test]
fn a_deletion_waits_for_a_live_node_and_not_for_one_that_is_gone() {
    with_accelerated_mesh(|cluster, _, meshaccel| {
        let uid = ghost(cluster)?;
        let acceleration = cluster.get_json(&["ma", "mesh"])?;
        let report = json!({
            "apiVersion": "meshaccel.dev/v1alpha1", "kind": "NodeAcceleration",
            "metadata": {"name": "ghost", "ownerReferences": [
                {"apiVersion": "v1", "kind": "Node", "name": "ghost", "uid": uid},
            ]},
            "spec": {},
        });
        cluster.apply(&report.to_string())?;
        let status = json!({"status": {
            "programs": ["ma_sockops"],
            "accelerations": [{
                "name": "mesh", "uid": acceleration["metadata"]["uid"], "observedGeneration": 1, "phase": "Programmed",
            }],
        }});
        cluster.kubectl(&[
            "patch",
            "na",
            "ghost",
            "--subresource=status",
            "--type=merge",
            "-p",
            &status.to_string(),
        ])?;
        meshaccel.wait_status("mesh", "two nodes", LIMIT, |status| status["nodes"]["desired"] == 2)?;

        cluster.kubectl(&["delete", "ma", "mesh", "--wait=false"])?;
        let waits = |object: &Value| {
            let conditions = object["status"]["conditions"].as_array();
            conditions.is_some_and(|conditions| {
                conditions.iter().any(|condition| {
                    let said = condition["message"].as_str().unwrap_or_default();
                    condition["reason"] == "Releasing" && said.contains("ghost") && !said.contains("node-0")
                })
            })
        };
        cluster.wait_for("the object to say that it waits for ghost alone", LIMIT, &["ma", "mesh"], waits)?;
        cluster.kubectl(&["delete", "node", "ghost"])?;
        timed("node gone -> nothing left", || meshaccel.wait_nothing_left(LIMIT))
    });
}

fn ghost(cluster: &Cluster) -> Result<String> {
    // The taint keeps pods away; nothing would ever run them.
    let node = json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": "ghost", "labels": {"kubernetes.io/os": "linux"}},
        "spec": {"taints": [{"key": "ghost", "value": "yes", "effect": "NoSchedule"}]},
    });
    cluster.apply(&node.to_string())?;
    let node = cluster.get_json(&["node", "ghost"])?;
    node["metadata"]["uid"].as_str().map(str::to_owned).context("the node has no uid")
}
