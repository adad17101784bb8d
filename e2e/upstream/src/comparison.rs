//! Two namespaces, one of which the daemon knows; a suite in both at the same time; and proof that it was accelerated.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use meshaccel_e2e_harness::fixture::Pods;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_mesh::sweep;

use super::fixture::Fixture;
use super::outcome::Outcomes;
use super::suite::{self, Parts, Suite};
use super::verdict;

/// Runs outside, by suite: the same for both promotions.
static OUTSIDE: Mutex<Option<HashMap<&'static str, Parts>>> = Mutex::new(None);

/// Fails with every test case that does not behave inside as it does outside.
pub fn compare(name: &'static str, suite: &dyn Suite, promotion: Promotion) -> Result<()> {
    sweep::leftovers();
    // The first pod is the one that the daemon knows.
    let pods = Pods::new(2)?;
    let daemon = pods.accelerate_first(promotion)?;
    let (inside, outside) = (Fixture::new("inside", pods.netns(0))?, Fixture::new("outside", pods.netns(1))?);
    let start = Instant::now();
    let (before, after) = std::thread::scope(|scope| {
        let before = scope.spawn(|| once(name, suite, &outside));
        let after = suite::run_all(suite, &inside);
        (before.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), after)
    });
    let (before, after) = (before?, after?);
    let promoted = [daemon.events("promoted_early")?, daemon.events("promoted_late")?];
    let redirected = daemon.messages("redirected")?;
    eprintln!("--- {name}, outside: {}", total(&before));
    eprintln!(
        "--- {name}, {promotion:?}: {}, in {} s; sockets recorded: {}, promoted: {} early, {} late; messages redirected: \
         {redirected}",
        total(&after),
        start.elapsed().as_secs(),
        daemon.events("recorded")?,
        promoted[0],
        promoted[1],
    );
    let differences = verdict::judge(suite, [&outside, &inside], &before, &after)?;
    ensure!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    // Few connections of a test suite live long enough for evidence.
    if promotion == Promotion::Eager {
        ensure!(promoted[0] + promoted[1] > 0, "no socket was promoted: nothing was tested");
        ensure!(redirected > 0, "no message was redirected: nothing was tested");
    }
    Ok(())
}

/// The run outside, made once in this process.
fn once(name: &'static str, suite: &dyn Suite, place: &Fixture<'_>) -> Result<Parts> {
    let mut known = OUTSIDE.lock().map_err(|_| anyhow!("an earlier test panicked"))?;
    let known = known.get_or_insert_default();
    if let Some(parts) = known.get(name) {
        return Ok(parts.clone());
    }
    let parts = suite::run_all(suite, place)?;
    known.insert(name, parts.clone());
    Ok(parts)
}

fn total(parts: &Parts) -> Outcomes {
    let mut all = Outcomes::default();
    // Parts of a suite may have cases of the same name (Go's packages do).
    for (part, outcomes) in parts {
        all.extend(outcomes.renamed(|case| format!("{part} {case}")));
    }
    all
}
