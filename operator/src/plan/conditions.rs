//! The conditions of a MeshAcceleration: what is true, why, and what a person can do about it. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use meshaccel_crds::conditions::{SILENT_AFTER, acceleration as c};
use meshaccel_crds::{MeshAccelerationSpec, Mode};

use super::aggregate::Aggregate;
use super::names::{counted, cut, nodes};
use super::observed::Acceleration;
use super::release::Release;

/// Longest message that is written. The API allows 32 KiB; nobody reads that.
const LONGEST: usize = 1024;
/// How many other objects a conflict names.
const NAMED_CONFLICTS: usize = 3;

/// A condition without its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub kind: &'static str,
    pub holds: bool,
    pub reason: &'static str,
    pub message: String,
}

fn verdict(kind: &'static str, holds: bool, reason: &'static str, message: impl Into<String>) -> Verdict {
    Verdict { kind, holds, reason, message: cut(message.into(), LONGEST) }
}

/// What else a verdict needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Where the daemon's pods are.
    pub namespace: &'a str,
    /// How many Nodes there are at all.
    pub nodes: usize,
    /// Why the daemon's objects cannot be written.
    pub cannot_deploy: Option<&'a str>,
}

/// All three, in the order in which they are stored.
pub fn verdicts(
    object: &Acceleration,
    aggregate: &Aggregate<'_>,
    release: Option<&Release<'_>>,
    context: Context<'_>,
) -> Vec<Verdict> {
    vec![
        accepted(object, aggregate, release),
        programmed(object, aggregate, release, context),
        degraded(object, aggregate, context),
    ]
}

fn accepted(object: &Acceleration, aggregate: &Aggregate<'_>, release: Option<&Release<'_>>) -> Verdict {
    match &object.spec {
        _ if release.is_some() => verdict(c::ACCEPTED, false, c::DELETING, "It is being deleted"),
        Err(problem) => verdict(c::ACCEPTED, false, c::INVALID, format!("{problem}; correct it and apply it again")),
        Ok(_) if !aggregate.conflicts.is_empty() => verdict(c::ACCEPTED, true, c::CONFLICT, conflicts(aggregate)),
        Ok(_) => verdict(c::ACCEPTED, true, c::VALID, "Valid and in use"),
    }
}

fn conflicts(aggregate: &Aggregate<'_>) -> String {
    let more = aggregate.conflicts.len().saturating_sub(NAMED_CONFLICTS);
    let mut sentences: Vec<String> = aggregate
        .conflicts
        .iter()
        .take(NAMED_CONFLICTS)
        .map(|(with, tally)| {
            let pods = counted(usize::try_from(tally.pods).unwrap_or_default(), "pod", "pods");
            let example = if tally.example.is_empty() { String::new() } else { format!(", for example {}", tally.example) };
            let winner = if tally.wins { "this one has them, for it" } else { "that one has them, for it" };
            format!("{pods} that it selects are selected by MeshAcceleration {with}, too{example}; {winner} is older, or first by name")
        })
        .collect();
    if more > 0 {
        sentences.push(format!("so it is with {more} more"));
    }
    format!("{}. Narrow podSelector or namespaceSelector of one of them", sentences.join(". "))
}

fn programmed(
    object: &Acceleration,
    aggregate: &Aggregate<'_>,
    release: Option<&Release<'_>>,
    context: Context<'_>,
) -> Verdict {
    let not = |reason, message: String| verdict(c::PROGRAMMED, false, reason, message);
    if let Some(release) = release {
        return not(c::RELEASING, releasing(release));
    }
    let spec = match &object.spec {
        Ok(spec) => spec,
        Err(_) => return not(c::WAITING, "Not in force: it is not accepted".into()),
    };
    if aggregate.desired == 0 {
        return not(c::NO_NODES, no_nodes(spec, context.nodes));
    }
    let all = aggregate.desired;
    if !aggregate.unheard.is_empty() || !aggregate.waiting.is_empty() {
        let mut parts = Vec::new();
        if !aggregate.waiting.is_empty() {
            let count = aggregate.waiting.count();
            let does = if count == 1 { "does" } else { "do" };
            parts.push(format!("{count} of {} {does} not yet run it as it is now: {}", nodes(all), aggregate.waiting));
        }
        if !aggregate.unheard.is_empty() {
            parts.push(format!(
                "no daemon has reported from {} of {}: {} (kubectl -n {} get pods -o wide)",
                aggregate.unheard.count(),
                nodes(all),
                aggregate.unheard,
                context.namespace
            ));
        }
        return not(c::WAITING, parts.join("; "));
    }
    if !aggregate.degraded.is_empty() {
        return not(c::NODES_DEGRADED, degraded_nodes(aggregate));
    }
    if aggregate.ready == 0 {
        return not(c::WAITING, format!("None of {} has reported lately: {}", nodes(all), aggregate.silent));
    }
    let does = if spec.mode == Mode::Observe { "Observes" } else { "Runs" };
    let message = match aggregate.silent.count() {
        0 => format!("{does} on {}", nodes(aggregate.ready)),
        silent => format!("{does} on {}; {} not reported lately", nodes(aggregate.ready), has(silent)),
    };
    verdict(c::PROGRAMMED, true, c::PROGRAMMED, message)
}

fn releasing(release: &Release<'_>) -> String {
    let silent = match release.silent.count() {
        0 => String::new(),
        _ => format!("; not waiting for {}, silent for more than {} s", release.silent, SILENT_AFTER.as_secs()),
    };
    match release.waiting.count() {
        0 => format!("Nothing of it is left on any live node{silent}"),
        count => {
            format!("Waiting for {} to report that nothing of it is left: {}{silent}", nodes(count), release.waiting)
        }
    }
}

fn no_nodes(spec: &MeshAccelerationSpec, nodes: usize) -> String {
    if nodes == 0 {
        return "The cluster has no nodes".into();
    }
    let labels: Vec<String> = spec.node_selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let labels = labels.join(",");
    format!("None of {} has the labels of nodeSelector (kubectl get nodes -l {labels})", self::nodes(nodes))
}

fn degraded_nodes(aggregate: &Aggregate<'_>) -> String {
    let what = format!(
        "{} of {} {} it in part or not at all: {}",
        aggregate.degraded.count(),
        nodes(aggregate.desired),
        if aggregate.degraded.count() == 1 { "runs" } else { "run" },
        aggregate.degraded
    );
    match aggregate.because {
        Some((node, message)) if !message.is_empty() => format!("{what} ({node}: {message})"),
        _ => format!("{what} (kubectl get nodeaccelerations -o wide)"),
    }
}

fn degraded(object: &Acceleration, aggregate: &Aggregate<'_>, context: Context<'_>) -> Verdict {
    let is = |reason, message: String| verdict(c::DEGRADED, true, reason, message);
    let silent = (!aggregate.silent.is_empty()).then(|| {
        format!(
            "{} not reported for more than {} s: {} (kubectl -n {} get pods -o wide)",
            has(aggregate.silent.count()),
            SILENT_AFTER.as_secs(),
            aggregate.silent,
            context.namespace
        )
    });
    match (context.cannot_deploy, silent) {
        (Some(cannot_deploy), _) => is(c::CANNOT_DEPLOY, cannot_deploy.to_owned()),
        (None, silent) if !aggregate.degraded.is_empty() => is(
            c::NODES_DEGRADED,
            [Some(degraded_nodes(aggregate)), silent].into_iter().flatten().collect::<Vec<_>>().join("; "),
        ),
        (None, Some(silent)) => is(c::NODES_SILENT, silent),
        (None, None) => match stored(object, c::DEGRADED) {
            // This process has just started, and cannot know yet: what the one before it found goes on.
            Some(before) if aggregate.old && before.reason == c::NODES_SILENT => {
                is(c::NODES_SILENT, before.message.clone())
            }
            _ => verdict(c::DEGRADED, false, c::AS_EXPECTED, "Nothing is wrong"),
        },
    }
}

fn has(count: usize) -> String {
    format!("{} {}", nodes(count), if count == 1 { "has" } else { "have" })
}

/// A condition as it is stored.
pub fn stored<'a>(object: &'a Acceleration, kind: &str) -> Option<&'a Condition> {
    object.status.conditions.iter().find(|condition| condition.type_ == kind)
}

/// Verdicts as conditions. lastTransitionTime moves only when the status does.
pub fn conditions(verdicts: Vec<Verdict>, object: &Acceleration, now: Timestamp) -> Vec<Condition> {
    verdicts
        .into_iter()
        .map(|verdict| {
            let status = if verdict.holds { "True" } else { "False" };
            let since = stored(object, verdict.kind)
                .filter(|before| before.status == status)
                .map_or_else(|| Time(now), |before| before.last_transition_time.clone());
            Condition {
                type_: verdict.kind.into(),
                status: status.into(),
                reason: verdict.reason.into(),
                message: verdict.message,
                last_transition_time: since,
                observed_generation: Some(object.generation),
            }
        })
        .collect()
}
