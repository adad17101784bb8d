//! What is known of the cluster, as plain data. Filled by [`crate::observe`], read by [`super::plan`].
//!
//! Invariant: how long a node has been silent is judged by when *this process* saw its last report, never by the time
//! that stands in the report. So a node's clock may be wrong by hours; and while this process sees nothing itself (the
//! API server is away), nobody is taken for silent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::jiff::Timestamp;
use meshaccel_crds::conditions::SILENT_AFTER;
use meshaccel_crds::{MeshAccelerationSpec, MeshAccelerationStatus, NodeAccelerationStatus, Share};

/// Everything that a plan is made from.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// MeshAccelerations by name.
    pub accelerations: BTreeMap<String, Acceleration>,
    /// Nodes by name.
    pub nodes: BTreeMap<String, Node>,
    /// NodeAccelerations by name, which is their node's.
    pub reports: BTreeMap<String, Report>,
    /// The daemon's DaemonSet, if there is one.
    pub daemon_set: Option<DaemonSet>,
    /// Kinds whose first list has been read in full. Nothing is planned before that is all of them.
    pub synced: BTreeSet<Kind>,
    /// Why the daemon's objects cannot be written, in a sentence for people. Kept by [`crate::reconcile`].
    pub cannot_deploy: Option<String>,
    /// Why nothing can be seen at the moment, and since when.
    outages: BTreeMap<Outage, Instant>,
}

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    MeshAcceleration,
    NodeAcceleration,
    Node,
    DaemonSet,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::MeshAcceleration, Self::NodeAcceleration, Self::Node, Self::DaemonSet];

    /// As it stands in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MeshAcceleration => "MeshAcceleration",
            Self::NodeAcceleration => "NodeAcceleration",
            Self::Node => "Node",
            Self::DaemonSet => "DaemonSet",
        }
    }
}

/// Why reports may be on their way and not be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outage {
    /// The watch of NodeAccelerations is broken.
    Watch,
    /// The API server does not answer.
    Server,
}

/// A MeshAcceleration.
#[derive(Clone, Debug, PartialEq)]
pub struct Acceleration {
    pub name: String,
    pub uid: String,
    /// `metadata.resourceVersion`: patches of the finalizers are refused when it is not the latest.
    pub version: String,
    pub generation: i64,
    pub finalizers: Vec<String>,
    /// When this process first saw its deletionTimestamp; None: it is not being deleted.
    pub deletion_seen: Option<Instant>,
    /// The spec, or why it cannot be used.
    pub spec: Result<MeshAccelerationSpec, String>,
    /// The status as it is stored.
    pub status: MeshAccelerationStatus,
}

impl Acceleration {
    /// The labels that a node must have; None when the spec cannot be used.
    pub fn node_selector(&self) -> Option<&BTreeMap<String, String>> {
        self.spec.as_ref().ok().map(|spec| &spec.node_selector)
    }

    pub fn is_deleting(&self) -> bool {
        self.deletion_seen.is_some()
    }
}

/// A Node, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    pub uid: String,
    pub labels: BTreeMap<String, String>,
}

/// Whether all these labels are there, with these values.
pub fn has_labels(labels: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// A NodeAcceleration.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub uid: String,
    /// uid of the Node that owns it; None: nobody does.
    pub node_uid: Option<String>,
    /// What the daemon wrote; empty when it cannot be read.
    pub status: NodeAccelerationStatus,
    /// When this process first saw this `reportedAt`.
    pub seen: Instant,
    /// From when its silence counts: [`Self::seen`], or later, when this process could see nothing for a while.
    pub heard: Instant,
    /// When it was listed first, its `reportedAt` lay long ago by this machine's clock: perhaps it was silent before this
    /// process started, perhaps the clocks differ.
    pub old: bool,
}

impl Report {
    /// Its share of a MeshAcceleration.
    pub fn share(&self, uid: &str) -> Option<&Share> {
        self.status.accelerations.iter().find(|share| share.uid == uid)
    }

    /// Whether programs of meshaccel are in that node's kernel, by the last report.
    pub fn has_programs(&self) -> bool {
        !self.status.programs.is_empty()
    }
}

impl Observed {
    /// Whether every kind has been listed once.
    pub fn is_complete(&self) -> bool {
        Kind::ALL.iter().all(|kind| self.synced.contains(kind))
    }

    /// For how long a node has not reported, not counting the time in which its report could not have been seen.
    pub fn age(&self, report: &Report, now: Instant) -> Duration {
        let until = self.outages.values().min().map_or(now, |since| now.min(*since));
        until.saturating_duration_since(report.heard)
    }

    /// Whether a node has not reported for so long that it does not count as live.
    pub fn is_silent(&self, report: &Report, now: Instant) -> bool {
        self.age(report, now) >= SILENT_AFTER
    }

    /// The Node that a report is about, unless it is gone, or is another one of the same name.
    pub fn node_of(&self, name: &str, report: &Report) -> Option<&Node> {
        let node = self.nodes.get(name)?;
        report.node_uid.as_ref().is_none_or(|uid| *uid == node.uid).then_some(node)
    }

    /// From now on reports may be missed.
    pub fn outage_began(&mut self, why: Outage, now: Instant) {
        self.outages.entry(why).or_insert(now);
    }

    /// Reports are seen again. Daemons were cut off as well, perhaps, and get the full time to reconnect; who was silent
    /// before stays so.
    pub fn outage_ended(&mut self, why: Outage, now: Instant) {
        let Some(since) = self.outages.values().min().copied() else { return };
        if self.outages.remove(&why).is_none() || !self.outages.is_empty() {
            return;
        }
        for report in self.reports.values_mut() {
            let age = since.saturating_duration_since(report.heard);
            report.heard = if age >= SILENT_AFTER { now.checked_sub(age).unwrap_or(report.heard) } else { now };
        }
    }
}

/// The present, by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For what is written down.
    pub wall: Timestamp,
    /// For what is compared.
    pub instant: Instant,
}

impl Now {
    pub fn read() -> Self {
        Self { wall: Timestamp::now(), instant: Instant::now() }
    }
}

#[cfg(test)]
mod tests;
