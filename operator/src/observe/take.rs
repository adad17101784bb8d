//! From an object of the API server to what is kept of it, and whether the change matters to anybody.

use std::fmt::Debug;
use std::time::Instant;

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1;
use k8s_openapi::jiff::Timestamp;
use kube::core::{DeserializeGuard, DynamicObject, PartialObjectMeta};
use kube::{Resource, ResourceExt};
use meshaccel_crds::conditions::SILENT_AFTER;
use meshaccel_crds::{
    MeshAcceleration, MeshAccelerationSpec, NodeAcceleration, NodeAccelerationStatus, Phase, validate,
};
use serde::de::DeserializeOwned;

use crate::plan::observed::{Acceleration, Kind, Node, Observed, Report};

/// Only labels matter of a Node.
pub type SomeNode = PartialObjectMeta<v1::Node>;
/// A NodeAcceleration, or one that a newer daemon wrote in a way that this operator cannot read.
pub type SomeReport = DeserializeGuard<NodeAcceleration>;

/// Whether a change matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    Nothing,
    /// Numbers, and the time of a report.
    Counts,
    /// What somebody may wait for.
    Matters,
}

/// What is watched.
pub trait Watched: Resource + Clone + Debug + DeserializeOwned + Send + 'static {
    const KIND: Kind;
    /// Puts it where it belongs. `listed`: it comes from a list, and may be older than this process.
    fn take(self, observed: &mut Observed, listed: bool, now: Instant) -> Change;
    /// It is gone.
    fn forget(observed: &mut Observed, name: &str);
    /// Names that are known.
    fn known(observed: &Observed) -> Vec<String>;
}

impl Watched for DynamicObject {
    const KIND: Kind = Kind::MeshAcceleration;

    fn take(self, observed: &mut Observed, listed: bool, now: Instant) -> Change {
        let mut object = acceleration(self, now);
        match observed.accelerations.get(&object.name) {
            // An answer to the operator's own write told something newer.
            Some(known) if !listed && is_older(&object, known) => return Change::Nothing,
            Some(known) if known.uid == object.uid => {
                object.deletion_seen = known.deletion_seen.or(object.deletion_seen)
            }
            _ => {}
        }
        if observed.accelerations.get(&object.name) == Some(&object) {
            return Change::Nothing;
        }
        observed.accelerations.insert(object.name.clone(), object);
        Change::Matters
    }

    fn forget(observed: &mut Observed, name: &str) {
        observed.accelerations.remove(name);
    }

    fn known(observed: &Observed) -> Vec<String> {
        observed.accelerations.keys().cloned().collect()
    }
}

fn is_older(object: &Acceleration, known: &Acceleration) -> bool {
    let version = |object: &Acceleration| object.version.parse::<u64>().ok();
    object.uid == known.uid && version(object) < version(known)
}

/// Not by the type's own reading, which fails for a spec that an earlier version allowed: then nothing could be listed.
pub fn acceleration(object: DynamicObject, now: Instant) -> Acceleration {
    let part = |name: &str| object.data.get(name).cloned().unwrap_or_default();
    let spec = serde_json::from_value::<MeshAccelerationSpec>(part("spec")).map_err(|error| format!("spec: {error}"));
    let spec = spec.and_then(|spec| {
        let whole = MeshAcceleration::new(&object.name_any(), spec);
        let violations = validate(&whole);
        if violations.is_empty() {
            return Ok(whole.spec);
        }
        Err(violations.iter().map(|v| format!("{}: {}", v.field, v.message)).collect::<Vec<_>>().join("; "))
    });
    let metadata = object.metadata;
    Acceleration {
        name: metadata.name.unwrap_or_default(),
        uid: metadata.uid.unwrap_or_default(),
        version: metadata.resource_version.unwrap_or_default(),
        generation: metadata.generation.unwrap_or_default(),
        finalizers: metadata.finalizers.unwrap_or_default(),
        deletion_seen: metadata.deletion_timestamp.map(|_| now),
        spec,
        // One that cannot be read is written anew.
        status: object.data.get("status").cloned().and_then(|s| serde_json::from_value(s).ok()).unwrap_or_default(),
    }
}

impl Watched for SomeReport {
    const KIND: Kind = Kind::NodeAcceleration;

    fn take(self, observed: &mut Observed, listed: bool, now: Instant) -> Change {
        let name = self.name_any();
        let metadata = self.meta();
        let owner = metadata.owner_references.iter().flatten().find(|owner| owner.kind == "Node");
        let (uid, node_uid) = (metadata.uid.clone().unwrap_or_default(), owner.map(|owner| owner.uid.clone()));
        let status = match self.0 {
            Ok(report) => report.status.unwrap_or_default(),
            Err(error) => {
                tracing::debug!(name, %error, "Could not read a NodeAcceleration");
                NodeAccelerationStatus::default()
            }
        };
        let known = observed.reports.get(&name).filter(|known| known.uid == uid);
        let again = known.is_some_and(|known| known.status.reported_at == status.reported_at);
        let report = match known.filter(|_| again) {
            Some(known) => Report { uid, node_uid, seen: known.seen, heard: known.heard, old: known.old, status },
            None => Report {
                old: listed && known.is_none() && is_old(&status),
                uid,
                node_uid,
                seen: now,
                heard: now,
                status,
            },
        };
        let change = known.map_or(Change::Matters, |known| compare(known, &report, observed, now));
        observed.reports.insert(name, report);
        change
    }

    fn forget(observed: &mut Observed, name: &str) {
        observed.reports.remove(name);
    }

    fn known(observed: &Observed) -> Vec<String> {
        observed.reports.keys().cloned().collect()
    }
}

/// By this machine's clock and the node's, of which either may be wrong: a hint, no more.
fn is_old(status: &NodeAccelerationStatus) -> bool {
    let now = Timestamp::now();
    let age = status.reported_at.as_ref().map(|time| now.duration_since(time.0));
    age.is_some_and(|age| age.unsigned_abs() > SILENT_AFTER && age.is_positive())
}

fn compare(before: &Report, after: &Report, observed: &Observed, now: Instant) -> Change {
    if before.status == after.status && before.node_uid == after.node_uid {
        return Change::Nothing;
    }
    let was_silent = observed.is_silent(before, now) || before.old;
    let told = |report: &Report| {
        let status = &report.status;
        let shares: Vec<(&str, i64, Phase, &str, usize)> = status
            .accelerations
            .iter()
            .map(|s| (s.uid.as_str(), s.observed_generation, s.phase, s.message.as_str(), s.conflicts.len()))
            .collect();
        // Owned, so that both can be compared.
        format!("{shares:?}{}{:?}", status.programs.is_empty(), report.node_uid)
    };
    if was_silent || told(before) != told(after) { Change::Matters } else { Change::Counts }
}

impl Watched for SomeNode {
    const KIND: Kind = Kind::Node;

    fn take(self, observed: &mut Observed, _: bool, _: Instant) -> Change {
        let name = self.name_any();
        let node =
            Node { uid: self.metadata.uid.unwrap_or_default(), labels: self.metadata.labels.unwrap_or_default() };
        if observed.nodes.get(&name) == Some(&node) {
            return Change::Nothing;
        }
        observed.nodes.insert(name, node);
        Change::Matters
    }

    fn forget(observed: &mut Observed, name: &str) {
        observed.nodes.remove(name);
    }

    fn known(observed: &Observed) -> Vec<String> {
        observed.nodes.keys().cloned().collect()
    }
}

impl Watched for DaemonSet {
    const KIND: Kind = Kind::DaemonSet;

    fn take(self, observed: &mut Observed, _: bool, _: Instant) -> Change {
        let mut set = self;
        set.metadata.managed_fields = None;
        // How many pods are ready says each node for itself.
        set.status = None;
        let before = observed.daemon_set.replace(set);
        let of = |set: &Option<Self>| set.as_ref().map(|s| (s.spec.clone(), s.metadata.labels.clone()));
        if of(&before) == of(&observed.daemon_set) { Change::Nothing } else { Change::Matters }
    }

    fn forget(observed: &mut Observed, _: &str) {
        observed.daemon_set = None;
    }

    fn known(observed: &Observed) -> Vec<String> {
        observed.daemon_set.iter().map(ResourceExt::name_any).collect()
    }
}

#[cfg(test)]
mod tests;
