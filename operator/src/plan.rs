//! From what is to what must be done. Pure: no API server, no clock (time comes in as a value), no chance.
//!
//! * [`observed`] what is known; [`aggregate`] what nodes report of one object; [`conditions`] what that means for people
//! * [`release`] when an object that is being deleted may go; [`events`] what is told as a story
//! * [`placement`] where the daemon must be; [`daemon`], [`daemon_set`], [`access`] its objects; [`drift`] whether they
//!   are as they should be; [`reports`] which NodeAccelerations nobody writes any more
//!
//! Level-triggered: carrying a plan out and planning again gives an empty plan; a new leader needs to know nothing of
//! what the one before it did.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use meshaccel_crds::names::FINALIZER;
use meshaccel_crds::{MeshAccelerationStatus, NodeCounts};

pub mod access;
pub mod aggregate;
pub mod conditions;
pub mod daemon;
pub mod daemon_set;
pub mod drift;
pub mod events;
pub mod names;
pub mod observed;
pub mod placement;
pub mod release;
pub mod reports;

use daemon::{DaemonSettings, LABEL_MANAGED_BY, OPERATOR, Owned};
use events::Event;
use names::nodes;
use observed::{Acceleration, Now, Observed};
use placement::Placement;

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Take a MeshAcceleration into care: from now on it does not go before its programs have.
    AddFinalizer(Handle),
    /// Let a MeshAcceleration go.
    RemoveFinalizer(Handle, Event),
    /// Write what the cluster made of a MeshAcceleration.
    WriteStatus(StatusWrite),
    /// See to it that the daemon may do what it must. Checked now and then: nobody watches these objects.
    KeepAccess(Vec<Owned>),
    /// Make the DaemonSet, or make it as it should be.
    ApplyDaemonSet(Box<Owned>),
    /// Take the daemon off all nodes.
    DeleteDaemonSet(Box<Owned>),
    /// Take back what the daemon was allowed.
    RemoveAccess(Vec<Owned>),
    /// Delete a NodeAcceleration that nobody writes any more.
    DeleteReport { name: String, uid: String },
}

/// What a patch of a MeshAcceleration's finalizers needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handle {
    pub name: String,
    pub uid: String,
    /// The patch is refused when the object has changed since.
    pub version: String,
    /// All finalizers that it is to have.
    pub finalizers: Vec<String>,
}

/// A status to write.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusWrite {
    pub name: String,
    pub uid: String,
    pub status: MeshAccelerationStatus,
    /// Told once it is written.
    pub events: Vec<Event>,
    pub priority: Priority,
}

/// How soon a status must be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Only counts of pods, connections and bytes differ.
    Counts,
    /// Numbers of nodes or a message differ: a rollout is under way.
    Progress,
    /// A condition says something else.
    Transition,
}

/// Plans.
pub fn plan(observed: &Observed, settings: &DaemonSettings, now: Now) -> Vec<Action> {
    let mut actions = Vec::new();
    if !observed.is_complete() {
        return actions;
    }
    let placement = placement::placement(observed, now);
    deploy(observed, settings, &placement, now, &mut actions);
    let shares = aggregate::Shares::of(observed);
    let context = conditions::Context {
        namespace: &settings.namespace,
        nodes: observed.nodes.len(),
        cannot_deploy: observed.cannot_deploy.as_deref(),
    };
    for object in observed.accelerations.values() {
        let has_finalizer = object.finalizers.iter().any(|finalizer| finalizer == FINALIZER);
        match (object.is_deleting(), has_finalizer) {
            // It stays for somebody else's finalizer, and is no longer this operator's matter.
            (true, false) => continue,
            (false, false) if object.spec.is_ok() => {
                let finalizers = object.finalizers.iter().cloned().chain([FINALIZER.to_owned()]).collect();
                actions.push(Action::AddFinalizer(handle(object, finalizers)));
                continue;
            }
            _ => {}
        }
        let release = object.is_deleting().then(|| release::release(object, observed, now));
        if let Some(release) = release.as_ref().filter(|release| release.waiting.is_empty()) {
            actions.push(let_go(object, release));
            continue;
        }
        let aggregate = aggregate::aggregate(object, observed, &shares, now);
        let verdicts = conditions::verdicts(object, &aggregate, release.as_ref(), context);
        let conditions = conditions::conditions(verdicts, object, now.wall);
        actions.extend(write(object, status(object, &aggregate, conditions)).map(Action::WriteStatus));
    }
    actions
}

fn handle(object: &Acceleration, finalizers: Vec<String>) -> Handle {
    Handle { name: object.name.clone(), uid: object.uid.clone(), version: object.version.clone(), finalizers }
}

fn let_go(object: &Acceleration, release: &release::Release<'_>) -> Action {
    let finalizers = object.finalizers.iter().filter(|finalizer| *finalizer != FINALIZER).cloned().collect();
    let event = match release.silent.count() {
        0 => events::event(false, events::RELEASED, "Nothing of it is left on any node"),
        silent => {
            let note =
                format!("Nothing of it is left on any live node; not known of {}: {}", nodes(silent), release.silent);
            events::event(true, events::RELEASED, note)
        }
    };
    Action::RemoveFinalizer(handle(object, finalizers), event)
}

fn status(
    object: &Acceleration,
    aggregate: &aggregate::Aggregate<'_>,
    conditions: Vec<Condition>,
) -> MeshAccelerationStatus {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    MeshAccelerationStatus {
        observed_generation: Some(object.generation),
        conditions,
        nodes: NodeCounts {
            desired: count(aggregate.desired),
            ready: count(aggregate.ready),
            degraded: count(aggregate.degraded.count()),
        },
        pods: aggregate.pods,
        connections: aggregate.connections,
        // A node that goes takes its count with it; what was saved there was saved all the same.
        redirected_bytes: aggregate.redirected_bytes.max(object.status.redirected_bytes),
    }
}

/// What must be written, if anything.
fn write(object: &Acceleration, status: MeshAccelerationStatus) -> Option<StatusWrite> {
    if status == object.status {
        return None;
    }
    let before = &object.status;
    let said = |status: &MeshAccelerationStatus| {
        status.conditions.iter().map(|c| (c.type_.clone(), c.status.clone(), c.reason.clone())).collect::<Vec<_>>()
    };
    let messages =
        |status: &MeshAccelerationStatus| status.conditions.iter().map(|c| c.message.clone()).collect::<Vec<_>>();
    let priority = if said(before) != said(&status) || before.observed_generation != status.observed_generation {
        Priority::Transition
    } else if before.nodes != status.nodes || messages(before) != messages(&status) {
        Priority::Progress
    } else {
        Priority::Counts
    };
    let events = events::transitions(&before.conditions, &status.conditions);
    Some(StatusWrite { name: object.name.clone(), uid: object.uid.clone(), status, events, priority })
}

/// What is to be done about the daemon's own objects.
fn deploy(observed: &Observed, settings: &DaemonSettings, placement: &Placement, now: Now, actions: &mut Vec<Action>) {
    let wanted = Owned::new(&daemon_set::daemon_set(settings, placement));
    let abandoned = reports::abandoned(observed, placement, now);
    // Also while there are objects of which none can be used.
    if *placement == Placement::Nowhere {
        match &observed.daemon_set {
            Some(_) if is_ours(observed) => actions.push(Action::DeleteDaemonSet(Box::new(wanted))),
            // The rights go after the DaemonSet, and before the reports: a daemon that is just ending must not make its
            // report anew.
            _ => actions.push(Action::RemoveAccess(access::access(settings).into_iter().rev().collect())),
        }
    } else {
        actions.push(Action::KeepAccess(access::access(settings)));
        let live = observed.daemon_set.as_ref().map(|set| serde_json::to_value(set).unwrap_or_default());
        if live.is_none_or(|live| drift::differs(&wanted.body, &live)) {
            actions.push(Action::ApplyDaemonSet(Box::new(wanted)));
        }
    }
    actions.extend(abandoned.into_iter().map(|(name, uid)| Action::DeleteReport { name, uid }));
}

fn is_ours(observed: &Observed) -> bool {
    let labels = observed.daemon_set.as_ref().and_then(|set| set.metadata.labels.as_ref());
    labels.is_some_and(|labels| labels.get(LABEL_MANAGED_BY).is_some_and(|by| by == OPERATOR))
}

#[cfg(test)]
pub mod fixtures;
#[cfg(test)]
mod tests;
