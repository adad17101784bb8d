//! From what this capability sees to its part of the node's report. Pure: no clock, no I/O. Times, and what the last report said, are the
//! reporter's matter.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use meshaccel_abi::redirect::names as programs;
use meshaccel_crds::conditions::node as reasons;
use meshaccel_crds::{Conflict, Finding, MeshAcceleration, NodeAccelerationStatus, Phase, Share, rules};
use meshaccel_model::{Failure, Objects, condition, cut};
use meshaccel_service::Chain;

use crate::Error;
use crate::node::{Node, PodState, PodStatus};
use crate::probe::Unsupported;
use crate::select::{Selection, SharedPods, selects_node};
use crate::status::Status;

/// What a report is composed of.
pub struct Seen<'a> {
    pub objects: &'a Objects,
    pub selection: &'a Selection,
    pub status: &'a Status,
    /// The programs; `None`: nothing is installed.
    pub node: Option<&'a Node>,
    /// Why nothing can be installed, or not removed.
    pub failure: Option<&'a Failure>,
    /// Then: programs of an earlier daemon are there, which this one could not take over.
    pub pinned: bool,
}

impl From<Unsupported> for Failure {
    fn from(cause: Unsupported) -> Self {
        Self { reason: cause.reason(), message: cause.to_string() }
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self { reason: reasons::FAILED, message: Chain(error).to_string() }
    }
}

/// Its part of the report. `redirectedBytes` are those since this daemon runs, and conditions bear no times.
pub fn report(seen: &Seen<'_>, into: &mut NodeAccelerationStatus) {
    // What this daemon could not take over it cannot release either, and it does not know whose it is.
    let leaving = |name: &str| seen.node.map_or(usize::from(seen.pinned), |node| node.leaving(name));
    let redirected = |name: &str| seen.node.map_or(0, |node| node.redirected(name));
    let installed = seen.node.is_some() || seen.pinned;
    let accelerations = shares(seen, installed, leaving, redirected);
    into.lacks = lacks(seen.status);
    into.programs = if installed { attached() } else { Vec::new() };
    into.conditions.push(ready(seen, &accelerations));
    into.pods = whole(seen.status.pods.iter().filter(|pod| is_served(pod)).count());
    into.connections = whole(seen.status.connections.promoted / 2);
    into.accelerations = accelerations;
}

fn shares(
    seen: &Seen<'_>,
    installed: bool,
    leaving: impl Fn(&str) -> usize,
    redirected: impl Fn(&str) -> u64,
) -> Vec<Share> {
    let mut shares = BTreeMap::new();
    let node = seen.objects.node.as_deref();
    for located in &seen.objects.accelerations {
        let object = &*located.object;
        let name = object.metadata.name.clone().unwrap_or_default();
        let of: Vec<&PodStatus> = seen.status.pods.iter().filter(|pod| pod.acceleration == name).collect();
        let sum = |count: fn(&PodStatus) -> u64| of.iter().map(|pod| count(pod)).sum::<u64>();
        let (phase, message) = if selects_node(object, node) {
            in_force(seen.failure, &of)
        } else {
            // The last object's release takes the programs with it.
            let last = !seen.objects.accelerations.iter().any(|one| selects_node(&one.object, node));
            released(leaving(&name), installed && last, seen.failure)
        };
        let share = Share {
            uid: object.metadata.uid.clone().unwrap_or_default(),
            observed_generation: object.metadata.generation.unwrap_or_default(),
            phase,
            message: cut(&message, rules::MAX_MESSAGE),
            pods: whole(of.iter().filter(|pod| is_served(pod)).count()),
            skipped_pods: whole(of.iter().filter(|pod| pod.state == PodState::Skipped).count()),
            connections: whole(sum(|pod| pod.sockets.promoted) / 2),
            observed_connections: whole(sum(|pod| pod.sockets.paired.saturating_sub(pod.sockets.promoted)) / 2),
            redirected_bytes: whole(redirected(&name)),
            conflicts: conflicts(&seen.selection.shared, object),
            name: name.clone(),
        };
        shares.insert(name, share);
    }
    for refused in &seen.objects.refused {
        let (name, uid) = (refused.name.clone(), refused.uid.clone());
        let message = cut(&refused.message, rules::MAX_MESSAGE);
        let share = Share { name, uid, observed_generation: refused.generation, message, ..Share::default() };
        shares.insert(refused.name.clone(), Share { phase: Phase::Degraded, ..share });
    }
    shares.into_values().collect()
}

fn in_force(failure: Option<&Failure>, pods: &[&PodStatus]) -> (Phase, String) {
    if let Some(failure) = failure {
        return (Phase::Degraded, failure.message.clone());
    }
    let mut unreachable = pods.iter().filter(|pod| pod.state == PodState::Unreachable);
    match unreachable.next() {
        None => (Phase::Programmed, String::new()),
        Some(first) => {
            let others = match unreachable.count() {
                0 => String::new(),
                count => format!(" (and {count} more pods)"),
            };
            let why = first.message.as_deref().unwrap_or("cannot be found");
            (Phase::Degraded, format!("pod {}: {why}{others}", first.pod))
        }
    }
}

fn released(leaving: usize, installed: bool, failure: Option<&Failure>) -> (Phase, String) {
    match (leaving, installed, failure) {
        (0, false, _) => (Phase::Released, String::new()),
        (_, _, Some(failure)) => (Phase::Releasing, failure.message.clone()),
        (0, true, None) => (Phase::Releasing, "the programs are being removed".to_owned()),
        (pods, _, None) => (Phase::Releasing, format!("the connections of {pods} pods are going back to TCP")),
    }
}

fn conflicts(shared: &[SharedPods], object: &MeshAcceleration) -> Vec<Conflict> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let of = shared.iter().filter_map(|pods| {
        let (with, wins) = match (pods.winner == name, pods.loser == name) {
            (true, _) => (&pods.loser, true),
            (_, true) => (&pods.winner, false),
            _ => return None,
        };
        Some(Conflict { with: with.clone(), wins, pods: whole(pods.pods), example: pods.example.clone() })
    });
    of.take(rules::MAX_CONFLICTS).collect()
}

fn ready(seen: &Seen<'_>, shares: &[Share]) -> Condition {
    let degraded: Vec<&Share> = shares.iter().filter(|share| share.phase == Phase::Degraded).collect();
    let (status, reason, message) = match (seen.failure, degraded.first(), seen.node) {
        (Some(failure), ..) => ("False", failure.reason, failure.message.clone()),
        (None, Some(first), _) => {
            let more = if degraded.len() > 1 { format!(" (and {} more)", degraded.len() - 1) } else { String::new() };
            ("False", reasons::PARTLY, format!("{}: {}{more}", first.name, first.message))
        }
        (None, None, Some(_)) => ("True", reasons::ACTIVE, "every selected pod is served".to_owned()),
        (None, None, None) => ("True", reasons::IDLE, "no MeshAcceleration names this node".to_owned()),
    };
    condition(reasons::READY, status, reason, &message)
}

fn lacks(status: &Status) -> Vec<Finding> {
    if let Some(unsupported) = &status.unsupported {
        let what = cut(&unsupported.missing(), rules::MAX_MESSAGE);
        return vec![Finding { what, consequence: "nothing is accelerated on this node".into() }];
    }
    let findings = status.capabilities.iter().flat_map(|capabilities| &capabilities.findings);
    let lacking = findings.filter(|finding| !finding.works);
    let lacking =
        lacking.map(|finding| Finding { what: finding.what.to_owned(), consequence: finding.consequence.to_owned() });
    lacking.take(rules::MAX_FINDINGS).collect()
}

fn attached() -> Vec<String> {
    [programs::SOCKOPS, programs::SKMSG, programs::VISIT].map(str::to_owned).to_vec()
}

fn is_served(pod: &PodStatus) -> bool {
    matches!(pod.state, PodState::Accelerated | PodState::Observed | PodState::Disabled)
}

fn whole<N: TryInto<i64>>(number: N) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
