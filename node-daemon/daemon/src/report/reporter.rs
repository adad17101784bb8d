//! Writes this node's NodeAcceleration, and no other object.
//!
//! The object is owned by the Node, so that it goes with it. Written by server-side apply: this daemon's fields are all there
//! are, and what it does not report any more goes. While the API server is away the newest report waits; older ones are
//! of no use to anybody.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, OwnerReference, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::ObjectMeta;
use kube::{Api, Client, Resource};
use meshaccel_crds::{NodeAcceleration, NodeAccelerationSpec, NodeAccelerationStatus};
use meshaccel_service::Chain;
use meshaccel_sources::cluster::ApiHealth;
use serde_json::json;
use tokio::sync::watch;

use super::pace::Pace;

/// Owner of the fields that daemons write.
const FIELD_MANAGER: &str = "meshaccel-node";
/// How often the pace is asked.
const LOOK: Duration = Duration::from_millis(250);
/// After a report could not be written.
const RETRY: Duration = Duration::from_secs(2);
/// What [`ApiHealth`] calls this.
const WHAT: &str = "NodeAcceleration";

/// Takes reports, and sees to it that they are written.
#[derive(Debug)]
pub struct Reporter(watch::Sender<Option<NodeAccelerationStatus>>);

impl Reporter {
    /// Starts the task that writes; it ends with the reporter. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(client: Client, node: &str, api_health: ApiHealth) -> Self {
        let (sender, receiver) = watch::channel(None);
        let writer = Writer {
            objects: Api::all(client.clone()),
            nodes: Api::all(client),
            node: node.to_owned(),
            api_health,
            pace: Pace::default(),
            before: None,
        };
        tokio::spawn(writer.follow(receiver));
        Self(sender)
    }

    /// The newest report.
    pub fn tell(&self, report: NodeAccelerationStatus) {
        self.0.send_replace(Some(report));
    }
}

struct Writer {
    objects: Api<NodeAcceleration>,
    nodes: Api<Node>,
    node: String,
    api_health: ApiHealth,
    pace: Pace,
    /// What the last report of an earlier daemon said; `None`: not read yet.
    before: Option<Before>,
}

/// What goes on from the last report.
#[derive(Debug, Default)]
struct Before {
    /// Bytes that earlier daemons had redirected, by the object's uid.
    bytes: BTreeMap<String, i64>,
    /// Since when each condition has its status.
    conditions: Vec<Condition>,
}

impl Writer {
    async fn follow(mut self, mut reports: watch::Receiver<Option<NodeAccelerationStatus>>) {
        loop {
            let newest = reports.borrow_and_update().clone();
            let pause = match newest {
                Some(report) => self.consider(report).await,
                None => LOOK,
            };
            tokio::time::sleep(pause).await;
            if reports.has_changed().is_err() {
                return;
            }
        }
    }

    /// Writes the report if it is time. Gives the pause until the next look.
    async fn consider(&mut self, report: NodeAccelerationStatus) -> Duration {
        let now = Instant::now();
        if !self.pace.is_due(&report, now) {
            return LOOK;
        }
        match self.write(report.clone()).await {
            Ok(()) => {
                self.api_health.made(WHAT);
                self.pace.written(report, now);
                LOOK
            }
            Err(error) => {
                self.api_health.lost(WHAT, Chain(&error).to_string());
                RETRY
            }
        }
    }

    #[tracing::instrument(name = "report", skip_all, fields(node = self.node))]
    async fn write(&mut self, mut report: NodeAccelerationStatus) -> Result<(), kube::Error> {
        if self.before.is_none() {
            self.before = Some(self.find_or_create().await?);
        }
        let Some(before) = &mut self.before else { return Ok(()) };
        before.carry_on(&mut report);
        let patch = json!({
            "apiVersion": NodeAcceleration::api_version(&()),
            "kind": NodeAcceleration::kind(&()),
            "metadata": {"name": self.node},
            "status": report,
        });
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        match self.objects.patch_status(&self.node, &parameters, &Patch::Apply(&patch)).await {
            Ok(_) => Ok(()),
            Err(error) => {
                // Somebody has deleted it: it is made anew at the next attempt.
                if matches!(&error, kube::Error::Api(status) if status.code == 404) {
                    self.before = None;
                }
                Err(error)
            }
        }
    }

    async fn find_or_create(&self) -> Result<Before, kube::Error> {
        if let Some(found) = self.objects.get_opt(&self.node).await? {
            return Ok(Before::from(found.status.unwrap_or_default()));
        }
        let node = self.nodes.get_metadata(&self.node).await?;
        let owner = OwnerReference {
            api_version: Node::api_version(&()).into_owned(),
            kind: Node::kind(&()).into_owned(),
            name: self.node.clone(),
            uid: node.metadata.uid.unwrap_or_default(),
            controller: Some(false),
            block_owner_deletion: Some(false),
        };
        let metadata =
            ObjectMeta { name: Some(self.node.clone()), owner_references: Some(vec![owner]), ..ObjectMeta::default() };
        let object = NodeAcceleration { metadata, spec: NodeAccelerationSpec {}, status: None };
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        match self.objects.create(&parameters, &object).await {
            Ok(_) => Ok(Before::default()),
            // Another daemon of this node, which is about to end, was faster.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Before::default()),
            Err(error) => Err(error),
        }
    }
}

impl From<NodeAccelerationStatus> for Before {
    fn from(status: NodeAccelerationStatus) -> Self {
        let bytes = status.accelerations.into_iter().map(|share| (share.uid, share.redirected_bytes)).collect();
        Self { bytes, conditions: status.conditions }
    }
}

impl Before {
    /// Adds what earlier daemons have redirected, and the times.
    fn carry_on(&mut self, report: &mut NodeAccelerationStatus) {
        let now = Time(Timestamp::now());
        for share in &mut report.accelerations {
            let earlier = self.bytes.get(&share.uid).copied().unwrap_or(0);
            share.redirected_bytes = share.redirected_bytes.saturating_add(earlier);
        }
        for condition in &mut report.conditions {
            let same = |before: &&Condition| before.type_ == condition.type_ && before.status == condition.status;
            let since = self.conditions.iter().find(same).map(|before| before.last_transition_time.clone());
            condition.last_transition_time = since.unwrap_or_else(|| now.clone());
        }
        self.conditions.clone_from(&report.conditions);
        report.reported_at = Some(now);
    }
}
