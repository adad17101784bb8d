//! Events: what `kubectl describe` tells as a story. Only when a condition changes what it says, never its numbers. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use meshaccel_crds::conditions::acceleration as c;
use serde::Serialize;

use super::names::cut;

/// Longest note that the API takes.
const LONGEST: usize = 1000;

/// One Event about a MeshAcceleration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Whether a person should look.
    pub warning: bool,
    pub reason: &'static str,
    pub note: String,
}

/// The finalizer is taken off.
pub const RELEASED: &str = "Released";

pub fn event(warning: bool, reason: &'static str, note: impl Into<String>) -> Event {
    Event { warning, reason, note: cut(note.into(), LONGEST) }
}

/// What changed between two states of an object's conditions.
pub fn transitions(before: &[Condition], after: &[Condition]) -> Vec<Event> {
    after
        .iter()
        .filter_map(|after| {
            let before = before.iter().find(|before| before.type_ == after.type_);
            let same = before.is_some_and(|before| before.status == after.status && before.reason == after.reason);
            if same { None } else { tell(before, after) }
        })
        .collect()
}

fn tell(before: Option<&Condition>, after: &Condition) -> Option<Event> {
    let was = before.map(|before| before.reason.as_str());
    let note = &after.message;
    match (after.type_.as_str(), after.reason.as_str()) {
        (c::ACCEPTED, c::VALID) => Some(event(false, "Accepted", note)),
        (c::ACCEPTED, c::CONFLICT) => Some(event(true, c::CONFLICT, note)),
        (c::ACCEPTED, c::INVALID) => Some(event(true, c::INVALID, note)),
        (c::ACCEPTED, c::DELETING) => None,
        (c::PROGRAMMED, c::PROGRAMMED) => Some(event(false, c::PROGRAMMED, note)),
        (c::PROGRAMMED, c::NO_NODES) => Some(event(true, c::NO_NODES, note)),
        (c::PROGRAMMED, c::RELEASING) => Some(event(false, c::RELEASING, note)),
        // New, or edited: nothing to tell before it is done.
        (c::PROGRAMMED, _) => None,
        (c::DEGRADED, c::AS_EXPECTED) => was.map(|_| event(false, "Recovered", note)),
        (c::DEGRADED, c::NODES_DEGRADED) => Some(event(true, c::NODES_DEGRADED, note)),
        (c::DEGRADED, c::NODES_SILENT) => Some(event(true, c::NODES_SILENT, note)),
        (c::DEGRADED, c::CANNOT_DEPLOY) => Some(event(true, c::CANNOT_DEPLOY, note)),
        _ => None,
    }
}
