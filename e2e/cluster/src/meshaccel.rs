//! meshaccel in a cluster, installed as a person does: the CRDs, the operator's manifest, then objects.

use std::collections::{BTreeMap, HashMap};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::bpf::count_keys;
use meshaccel_e2e_harness::{daemon, wait};
use serde_json::{Value, json};

use super::kubectl::condition;
use super::{Cluster, PATIENCE, mesh, repository};

/// Where the operator and the daemons are.
pub const NAMESPACE: &str = "meshaccel-system";
/// Where the daemon pins, as the node sees it.
const PINS: &str = "/sys/fs/bpf/meshaccel";

/// An installed operator.
#[derive(Debug)]
pub struct Meshaccel<'a> {
    cluster: &'a Cluster,
}

impl<'a> Meshaccel<'a> {
    /// Applies the CRDs and the operator, and waits for it. The cluster must have the images "node" and "operator".
    pub fn install(cluster: &'a Cluster) -> Result<Self> {
        let repository = repository();
        for path in ["crds/yaml/", "deploy/operator.yaml"] {
            let path = repository.join(path).display().to_string();
            cluster.kubectl(&["apply", "--server-side", "-f", &path])?;
        }
        cluster.kubectl(&["wait", "--for=condition=Established", "crd", "meshaccelerations.meshaccel.dev"])?;
        cluster.wait_ready(NAMESPACE, "app.kubernetes.io/name=meshaccel-operator", PATIENCE)?;
        Ok(Self { cluster })
    }

    /// Applies a MeshAcceleration of the mesh's namespace.
    pub fn accelerate(&self, name: &str, mode: &str) -> Result<()> {
        self.accelerate_as(name, &json!({ "mode": mode }))
    }

    /// Applies a MeshAcceleration, of the mesh's namespace unless its spec names another.
    pub fn accelerate_as(&self, name: &str, spec: &Value) -> Result<()> {
        let mut object = json!({
            "apiVersion": "meshaccel.dev/v1alpha1", "kind": "MeshAcceleration", "metadata": { "name": name },
            "spec": spec,
        });
        let namespaces = &mut object["spec"]["namespaceSelector"];
        if namespaces.is_null() {
            *namespaces = json!({ "matchLabels": { "kubernetes.io/metadata.name": mesh::NAMESPACE } });
        }
        // The API server may know the kind a moment before kubectl can be told of it.
        wait::wait_for(PATIENCE, "the object to be applied", || self.cluster.apply(&object.to_string())).map(drop)
    }

    /// What the node's daemon has recorded.
    pub fn connections(&self) -> Result<Vec<Value>> {
        let arguments =
            ["exec", "-n", NAMESPACE, "daemonset/meshaccel-node", "--", "/meshaccel-node", "connections", "-o", "json"];
        Ok(serde_json::from_str(&self.cluster.kubectl(&arguments)?)?)
    }

    /// What is recorded, read from the node's kernel without asking the cluster: kubectl, the API server and the kubelet take
    /// as long as what is to be timed, on the same two processors.
    pub fn connections_in_kernel(&self) -> Result<Vec<Value>> {
        let mut command = Command::new(daemon::binary()?);
        command.args(["connections", "-o", "json", "--bpffs"]).arg(self.cluster.node_file(PINS)?);
        let finished = daemon::finish(command)?;
        ensure!(finished.code == Some(0), "{}", finished.stderr.trim());
        Ok(serde_json::from_str(&finished.stdout)?)
    }

    /// How many entries a pinned map of the node has, by the kernel's own answer.
    pub fn map_keys(&self, map: &str) -> Result<usize> {
        count_keys(&self.cluster.node_file(PINS)?, map)
    }

    /// How many sockets are in the SOCKHASH.
    pub fn sockets(&self) -> Result<usize> {
        self.map_keys("ma_sockets")
    }

    /// Messages that present connections have sent past the stack.
    pub fn redirected_messages(&self) -> Result<u64> {
        let rows = self.connections()?;
        Ok(rows.iter().filter_map(|row| row["redirected"]["messages"].as_u64()).sum())
    }

    /// Waits until both pods send redirected messages, and the daemon answers.
    pub fn wait_redirected(&self, limit: Duration) -> Result<()> {
        Self::wait_redirected_by(limit, || self.connections())
    }

    /// Waits until both pods send redirected messages.
    pub fn wait_redirected_in_kernel(&self, limit: Duration) -> Result<()> {
        Self::wait_redirected_by(limit, || self.connections_in_kernel())
    }

    /// Sockets count that have sent more of them since they were first seen: what was before may have been before an edit.
    fn wait_redirected_by(limit: Duration, connections: impl Fn() -> Result<Vec<Value>>) -> Result<()> {
        let mut first = HashMap::new();
        wait::wait_for(limit, "connections of both pods to be redirected", || {
            let all = connections()?;
            for app in ["client", "server"] {
                let rows = of_app(&all, app);
                let sends = |row: &&&Value| {
                    let sent = row["redirected"]["messages"].as_u64().unwrap_or(0);
                    row["path"] == "redirected" && sent > *first.entry(socket(row)).or_insert(sent)
                };
                let count = rows.iter().filter(sends).count();
                ensure!(count >= 2, "{count} sockets of the {app} are redirected, of {}: {}", rows.len(), paths(&rows));
            }
            Ok(())
        })
    }

    /// Waits until the object's status, for its present generation, is as told.
    pub fn wait_status(
        &self,
        name: &str,
        what: &str,
        limit: Duration,
        expected: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        self.cluster.wait_for(&format!("{name} to have {what}"), limit, &["meshacceleration", name], |object| {
            let status = &object["status"];
            status["observedGeneration"] == object["metadata"]["generation"] && expected(status)
        })
    }

    /// Waits until the node's report is as told.
    pub fn wait_report(&self, what: &str, limit: Duration, expected: impl Fn(&Value) -> bool) -> Result<Value> {
        let arguments = ["nodeacceleration", "node-0"];
        self.cluster.wait_for(&format!("node-0 to report {what}"), limit, &arguments, expected)
    }

    /// Waits until a condition of the object is as told, for its present generation.
    pub fn wait_condition(&self, name: &str, kind: &str, status: &str, limit: Duration) -> Result<Value> {
        let arguments = ["meshacceleration", name];
        self.cluster.wait_for(&format!("{name} to be {kind}={status}"), limit, &arguments, |object| {
            condition(object, kind).is_some_and(|found| {
                found["status"] == status && found["observedGeneration"] == object["metadata"]["generation"]
            })
        })
    }

    /// Nothing of meshaccel is on the node: no pin, no DaemonSet, no report.
    pub fn nothing_is_left(&self) -> Result<()> {
        for object in [&["daemonset", "-n", NAMESPACE][..], &["nodeacceleration"], &["meshacceleration"]] {
            let found = self.cluster.get_json(object)?;
            ensure!(found["items"].as_array().is_some_and(Vec::is_empty), "{} are left", object[0]);
        }
        // The folder itself is a mount of the daemon's pod: only the node could remove it.
        let pinned =
            self.cluster.enter(&["find", "/sys/fs/bpf", "-path", "*meshaccel*"]).context("the node's bpffs")?;
        ensure!(pinned.trim().is_empty() || pinned.trim() == PINS, "left in the node's bpffs: {pinned}");
        Ok(())
    }

    /// Waits for that.
    pub fn wait_nothing_left(&self, limit: Duration) -> Result<()> {
        wait::wait_for(limit, "everything to be gone", || self.nothing_is_left())
    }
}

/// Rows of one of the mesh's pods.
pub fn of_app<'a>(rows: &'a [Value], app: &str) -> Vec<&'a Value> {
    let prefix = format!("{}/{app}-", mesh::NAMESPACE);
    rows.iter().filter(|row| row["pod"].as_str().is_some_and(|pod| pod.starts_with(&prefix))).collect()
}

/// What tells a row's socket from others.
fn socket(row: &Value) -> String {
    format!("{} {} {} {}", row["pod"], row["local"], row["remote"], row["role"])
}

/// How many of the connections take which path, and why.
fn paths(rows: &[&Value]) -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    for row in rows {
        *counts.entry(format!("{} ({})", row["path"], row["reason"])).or_default() += 1;
    }
    format!("{counts:?}")
}
