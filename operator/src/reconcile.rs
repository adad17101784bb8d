//! The leader's loop: plan, carry out, take in what came of it, wait for something to change.

use std::time::{Duration, Instant};

use crate::apply::{Applier, Outcome};
use crate::metrics::Metrics;
use crate::observe::Cache;
use crate::observe::take::{Change, Watched};
use crate::plan::daemon::DaemonSettings;
use crate::plan::observed::Now;
use crate::plan::plan;

/// At least so long lies between two plans: what changes together is planned together.
const SHORTEST: Duration = Duration::from_millis(200);
/// What only counts may wait so long; and a plan that takes long may, too.
const LONGEST: Duration = Duration::from_secs(2);
/// Planning takes at most one part in so many of a core, however large the cluster is.
const SHARE: u32 = 20;
/// Silence makes no event, so time itself is looked at now and then.
const TICK: Duration = Duration::from_secs(5);

/// Leads until dropped.
pub async fn lead(cache: &Cache, applier: &mut Applier, settings: &DaemonSettings, metrics: &Metrics) {
    loop {
        let began = Instant::now();
        let actions = tracing::debug_span!("plan").in_scope(|| plan(&cache.lock(), settings, Now::read()));
        let took = began.elapsed();
        metrics.planned(took, actions.len());
        applier.forget(&cache.lock().accelerations.values().map(|object| object.uid.as_str()).collect());
        let due = applier.carry_out(actions, settings, &|outcome| merge(cache, outcome)).await;
        let rest = (took * SHARE).clamp(SHORTEST, LONGEST);
        wait(cache, due.unwrap_or(TICK).min(TICK)).await;
        tokio::time::sleep_until((began + rest).into()).await;
    }
}

/// Not leading any more: what could not be written is the next leader's matter.
pub fn stop(cache: &Cache) {
    merge(cache, Outcome::Blocked(None));
}

/// What came of an action is known before a watch tells it.
fn merge(cache: &Cache, outcome: Outcome) {
    let mut observed = cache.lock();
    match outcome {
        Outcome::Written(object) => {
            // An object that this write let go is not made known anew.
            let name = object.metadata.name.as_deref().unwrap_or_default();
            if observed.accelerations.get(name).is_some_and(|known| Some(&known.uid) == object.metadata.uid.as_ref()) {
                let _ = object.take(&mut observed, false, Instant::now());
            }
        }
        Outcome::DaemonSet(daemon_set) => observed.daemon_set = daemon_set.map(|daemon_set| *daemon_set),
        Outcome::ReportDeleted(name) => {
            observed.reports.remove(&name);
        }
        Outcome::Blocked(why) if observed.cannot_deploy != why => {
            observed.cannot_deploy = why;
            drop(observed);
            cache.changed(Change::Matters);
        }
        Outcome::Blocked(_) => {}
    }
}

async fn wait(cache: &Cache, longest: Duration) {
    tokio::select! {
        () = cache.urgent() => {}
        () = cache.lazy() => {
            tokio::select! {
                () = cache.urgent() => {}
                () = tokio::time::sleep(LONGEST) => {}
            }
        }
        () = tokio::time::sleep(longest) => {}
    }
}

#[cfg(test)]
mod tests;
