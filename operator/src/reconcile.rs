//! The leader's loop: plan, carry out, wait for something to change.

use std::time::{Duration, Instant};

use crate::apply::Applier;
use crate::metrics::Metrics;
use crate::observe::World;
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
pub async fn lead(world: &World, applier: &mut Applier, settings: &DaemonSettings, metrics: &Metrics) {
    loop {
        let began = Instant::now();
        let actions = tracing::debug_span!("plan").in_scope(|| plan(&world.lock(), settings, Now::read()));
        let took = began.elapsed();
        metrics.planned(took, actions.len());
        applier.forget();
        let due = applier.carry_out(actions, settings).await;
        let rest = (took * SHARE).clamp(SHORTEST, LONGEST);
        wait(world, due.unwrap_or(TICK).min(TICK)).await;
        tokio::time::sleep_until((began + rest).into()).await;
    }
}

async fn wait(world: &World, longest: Duration) {
    tokio::select! {
        () = world.urgent() => {}
        () = world.lazy() => {
            tokio::select! {
                () = world.urgent() => {}
                () = tokio::time::sleep(LONGEST) => {}
            }
        }
        () = tokio::time::sleep(longest) => {}
    }
}
