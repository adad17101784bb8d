//! What a suite of tests must offer, and running all of it: several parts at once, and again without a test case that
//! hangs, so that one hanging case does not hide the rest.

use std::collections::VecDeque;
use std::sync::Mutex;

use anyhow::{Context, Result, ensure};

use super::fixture::{Fixture, Ran};
use super::outcome::Outcomes;

/// A part that hangs more often than this is given up: its remaining cases are not reported.
const ROUNDS: usize = 8;

/// Tests of one project.
pub trait Suite: Sync {
    /// Parts that run in processes of their own, the longest first.
    fn parts(&self) -> Vec<String>;

    /// How many parts may run at once. Tests mostly wait.
    fn at_once(&self) -> usize;

    /// Runs a part, or one case of it, leaving out cases that are known to hang.
    fn run(&self, place: &Fixture<'_>, part: &str, case: Option<&str>, without: &[String]) -> Result<Ran>;

    /// Reads what a run reported.
    fn read(&self, ran: &Ran) -> Result<Report>;
}

/// What one run reported: of one that did not come to its end, only what is known of the cases that kept it.
#[derive(Debug, Default)]
pub struct Report {
    pub outcomes: Outcomes,
    /// Cases that kept it from coming to its end; empty when it came there.
    pub hung: Vec<String>,
}

/// Outcomes of a whole suite, part by part.
pub type Parts = Vec<(String, Outcomes)>;

/// Runs every part.
pub fn run_all(suite: &dyn Suite, place: &Fixture<'_>) -> Result<Parts> {
    let waiting: Mutex<VecDeque<(usize, String)>> = Mutex::new(suite.parts().into_iter().enumerate().collect());
    let done = Mutex::new(Vec::new());
    let worker = || -> Result<()> {
        loop {
            let next = waiting.lock().map_err(|_| anyhow::anyhow!("a worker panicked"))?.pop_front();
            let Some((index, part)) = next else { return Ok(()) };
            let outcomes = run_part(suite, place, &part).with_context(|| format!("{part}, {}", place.name))?;
            done.lock().map_err(|_| anyhow::anyhow!("a worker panicked"))?.push((index, part, outcomes));
        }
    };
    std::thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..suite.at_once()).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    let mut done = done.into_inner().map_err(|_| anyhow::anyhow!("a worker panicked"))?;
    done.sort_by_key(|(index, ..)| *index);
    Ok(done.into_iter().map(|(_, part, outcomes)| (part, outcomes)).collect())
}

fn run_part(suite: &dyn Suite, place: &Fixture<'_>, part: &str) -> Result<Outcomes> {
    let mut outcomes = Outcomes::default();
    let mut without = Vec::new();
    for _ in 0..ROUNDS {
        let ran = suite.run(place, part, None, &without)?;
        let report = suite.read(&ran)?;
        outcomes.extend(report.outcomes);
        if report.hung.is_empty() {
            ensure!(!outcomes.is_empty(), "no test case was reported:\n{}", ran.tail(20));
            return Ok(outcomes);
        }
        eprintln!("--- {}: {part} did not come to its end because of {}", place.name, report.hung.join(", "));
        without.extend(report.hung);
    }
    eprintln!("--- {}: {part} given up after {ROUNDS} rounds", place.name);
    Ok(outcomes)
}
