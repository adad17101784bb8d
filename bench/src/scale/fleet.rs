//! Simulated nodes: a Node object and a NodeAcceleration each, and reports as their daemons write them.
//!
//! Every report adds 1 to `redirectedBytes` of each of its shares. So the sum that the operator writes into a status is the
//! number of reports that this status knows of, in the order in which the API server took them: see [`super::sight`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, OwnerReference, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use meshaccel_crds::conditions::node as reasons;
use meshaccel_crds::{NodeAcceleration, NodeAccelerationSpec, NodeAccelerationStatus, Phase, Share};
use serde_json::json;

use super::pace::at_pace;

/// Requests on their way at once when everything is written as fast as it goes.
const AT_ONCE: usize = 32;
/// As the daemon's.
const FIELD_MANAGER: &str = "meshaccel-node";
const PROGRAMS: [&str; 3] = ["ma_sockops", "ma_skmsg", "ma_visit"];

/// A MeshAcceleration, as far as a report names it.
#[derive(Debug, Clone)]
pub struct Object {
    pub name: String,
    pub uid: String,
    pub generation: i64,
}

/// A report that was written.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// The order in which the API server took it.
    pub version: u64,
    pub sent: Instant,
}

/// All nodes.
#[derive(Clone)]
pub struct Fleet {
    client: Client,
    pods_a_node: usize,
    state: Arc<Mutex<State>>,
}

struct State {
    objects: Vec<Object>,
    /// How often each node has reported.
    reports: Vec<i64>,
    written: Vec<Written>,
}

fn name(index: usize) -> String {
    format!("simulated-{index:05}")
}

impl Fleet {
    pub fn new(client: Client, nodes: usize, pods_a_node: usize, objects: Vec<Object>) -> Self {
        let state = State { objects, reports: vec![0; nodes], written: Vec::new() };
        Self { client, pods_a_node, state: Arc::new(Mutex::new(state)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn len(&self) -> usize {
        self.lock().reports.len()
    }

    /// Everything written so far, in the order of the API server.
    pub fn written(&self) -> Vec<Written> {
        let mut written = self.lock().written.clone();
        written.sort_by_key(|report| report.version);
        written
    }

    /// Makes the objects, and has each node report once.
    pub async fn appear(&self) -> Result<()> {
        let indices = futures::stream::iter((0..self.len()).map(Ok));
        indices
            .try_for_each_concurrent(AT_ONCE, async |index| {
                self.make(index).await.with_context(|| format!("cannot make {}", name(index)))?;
                self.report(index).await
            })
            .await
    }

    /// An object was edited: what reports say of it from now on.
    pub fn learn(&self, object: &str, generation: i64) {
        for known in self.lock().objects.iter_mut().filter(|known| known.name == object) {
            known.generation = generation;
        }
    }

    /// Every node reports once, as fast as the API server takes it.
    pub async fn report_all(&self) -> Result<()> {
        futures::stream::iter(0..self.len())
            .map(|index| self.report(index))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Nodes report one after another, each every `every`, for some time.
    pub async fn go_on(&self, every: Duration, length: Duration) -> Result<()> {
        let report = |count: usize| {
            let fleet = self.clone();
            async move { fleet.report(count % fleet.len()).await }
        };
        at_pace(every.div_f64(self.len() as f64), length, report).await.map(drop)
    }

    async fn make(&self, index: usize) -> Result<()> {
        let node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name(index), "labels": {
                "kubernetes.io/hostname": name(index), "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
                "node.kubernetes.io/instance-type": "simulated",
                "topology.kubernetes.io/region": "here", "topology.kubernetes.io/zone": format!("here-{}", index % 3),
            }},
        });
        let node: Node = serde_json::from_value(node)?;
        let node = Api::<Node>::all(self.client.clone()).create(&PostParams::default(), &node).await?;
        let mut object = NodeAcceleration::new(&name(index), NodeAccelerationSpec {});
        object.metadata.owner_references = Some(vec![OwnerReference {
            api_version: "v1".into(),
            kind: "Node".into(),
            name: name(index),
            uid: node.uid().unwrap_or_default(),
            controller: Some(false),
            block_owner_deletion: Some(false),
        }]);
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        Api::<NodeAcceleration>::all(self.client.clone()).create(&parameters, &object).await?;
        Ok(())
    }

    /// One report of one node.
    async fn report(&self, index: usize) -> Result<()> {
        let (objects, count) = {
            let mut state = self.lock();
            let count = state.reports.get_mut(index).context("no such node")?;
            *count += 1;
            let count = *count;
            (state.objects.clone(), count)
        };
        let patch = json!({
            "apiVersion": "meshaccel.dev/v1alpha1", "kind": "NodeAcceleration", "metadata": {"name": name(index)},
            "status": status(&objects, self.pods_a_node, count),
        });
        let api = Api::<NodeAcceleration>::all(self.client.clone());
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let sent = Instant::now();
        let answer = api.patch_status(&name(index), &parameters, &Patch::Apply(&patch)).await;
        let answer = answer.map_err(|error| anyhow!("{} cannot report: {error}", name(index)))?;
        let version = answer.resource_version().and_then(|version| version.parse().ok()).context("no version")?;
        self.lock().written.push(Written { version, sent });
        Ok(())
    }
}

/// What a healthy daemon reports.
fn status(objects: &[Object], pods: usize, count: i64) -> NodeAccelerationStatus {
    let now = Time(Timestamp::now());
    let condition = |kind: &str, reason: &str, message: &str| Condition {
        type_: kind.into(),
        status: "True".into(),
        reason: reason.into(),
        message: message.into(),
        last_transition_time: Time(Timestamp::UNIX_EPOCH),
        observed_generation: None,
    };
    let share = |(index, object): (usize, &Object)| {
        // As even as it goes.
        let pods = pods / objects.len() + usize::from(index < pods % objects.len());
        Share {
            name: object.name.clone(),
            uid: object.uid.clone(),
            observed_generation: object.generation,
            phase: Phase::Programmed,
            pods: pods as i64,
            connections: 10 * pods as i64 + count % 7,
            redirected_bytes: count,
            ..Share::default()
        }
    };
    NodeAccelerationStatus {
        reported_at: Some(now),
        version: env!("CARGO_PKG_VERSION").into(),
        kernel: "6.18.0-simulated".into(),
        lacks: Vec::new(),
        programs: PROGRAMS.map(str::to_owned).to_vec(),
        conditions: vec![
            condition(reasons::READY, reasons::ACTIVE, "Accelerates every selected pod"),
            condition(reasons::CURRENT, reasons::CONNECTED, "Knows the present state of the cluster"),
        ],
        pods: pods as i64,
        connections: 10 * pods as i64,
        accelerations: objects.iter().enumerate().map(share).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pod_is_in_one_share_and_each_share_counts_reports() {
        let object = |index: usize| Object { name: format!("o{index}"), uid: format!("u{index}"), generation: 1 };
        let objects: Vec<Object> = (0..4).map(object).collect();
        let status = status(&objects, 30, 5);
        let pods: Vec<i64> = status.accelerations.iter().map(|share| share.pods).collect();
        assert_eq!((pods, status.pods), (vec![8, 8, 7, 7], 30));
        assert!(status.accelerations.iter().all(|share| share.redirected_bytes == 5));
    }
}
