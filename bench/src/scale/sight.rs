//! What somebody sees who watches MeshAccelerations, and how late that is.
//!
//! Statuses count reports (see [`super::fleet`]): a status that says N knows the first N reports that the API server took.
//! So each report has a moment at which it was first known, in each object, without a mark on any of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::Result;
use futures::StreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use meshaccel_crds::MeshAcceleration;
use meshaccel_crds::conditions::acceleration::PROGRAMMED;
use tokio::task::JoinHandle;

use super::fleet::Written;

/// A status that was seen.
#[derive(Debug, Clone, Default)]
pub struct Status {
    pub observed_generation: i64,
    pub programmed: bool,
    pub desired: i64,
    pub ready: i64,
    pub pods: i64,
    /// Reports that it knows of.
    pub reports: i64,
}

type Seen = BTreeMap<String, Vec<(Instant, Status)>>;

/// Watches until dropped.
pub struct Sight {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Sight {
    /// Begins to watch. Must be called within a tokio runtime.
    pub fn watch(client: &Client) -> Self {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let sink = Arc::clone(&seen);
        let mut events = watcher(Api::<MeshAcceleration>::all(client.clone()), watcher::Config::default()).boxed();
        let task = tokio::spawn(async move {
            // An error is followed by another attempt, and what was missed in between is seen late: as by anybody.
            while let Some(event) = events.next().await {
                if let Ok(Event::Apply(object) | Event::InitApply(object)) = event {
                    let mut seen = sink.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.entry(object.name_any()).or_default().push((Instant::now(), status(object)));
                }
            }
        });
        Self { seen, task }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest status of each object.
    pub fn newest(&self) -> BTreeMap<String, Status> {
        let seen = self.lock();
        seen.iter().filter_map(|(name, all)| Some((name.clone(), all.last()?.1.clone()))).collect()
    }

    /// Whether the newest status of all these objects is as told.
    pub fn all(&self, objects: usize, holds: impl Fn(&Status) -> bool) -> bool {
        let newest = self.newest();
        newest.len() == objects && newest.values().all(holds)
    }

    /// Of each object: when it said that it knew how many reports.
    pub fn steps(&self) -> Vec<Vec<Step>> {
        self.lock().values().map(|all| all.iter().map(|(at, status)| Step(*at, status.reports)).collect()).collect()
    }
}

impl Drop for Sight {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn status(object: MeshAcceleration) -> Status {
    let Some(status) = object.status else { return Status::default() };
    let programmed = status.conditions.iter().any(|one| one.type_ == PROGRAMMED && one.status == "True");
    Status {
        observed_generation: status.observed_generation.unwrap_or_default(),
        programmed,
        desired: status.nodes.desired,
        ready: status.nodes.ready,
        pods: status.pods,
        reports: status.redirected_bytes,
    }
}

/// A moment, and how many reports were known from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step(pub Instant, pub i64);

/// Of each object, how long every report of a span of time took to be known, in s. `written` in the order of the API server.
pub fn delays(written: &[Written], steps: &[Vec<Step>], from: Instant, to: Instant) -> Result<Vec<f64>> {
    let mut delays = Vec::new();
    for steps in steps {
        let mut steps = steps.iter().peekable();
        for (index, report) in written.iter().enumerate() {
            while steps.next_if(|step| step.1 <= index as i64).is_some() {}
            if report.sent < from || report.sent >= to {
                continue;
            }
            let known = steps.peek();
            anyhow::ensure!(known.is_some(), "a status never came to know report {} of {}", index + 1, written.len());
            delays.extend(known.map(|step| step.0.saturating_duration_since(report.sent).as_secs_f64()));
        }
    }
    Ok(delays)
}

/// How old, at a moment, the oldest report is that some status does not know, in s; 0: all know all.
pub fn age(written: &[Written], steps: &[Vec<Step>], at: Instant) -> f64 {
    let known = steps.iter().map(|steps| {
        let before = steps.partition_point(|step| step.0 <= at);
        before.checked_sub(1).and_then(|index| steps.get(index)).map_or(0, |step| step.1)
    });
    let known = usize::try_from(known.min().unwrap_or_default()).unwrap_or_default();
    let unknown = written.iter().skip(known).map(|report| report.sent).filter(|sent| *sent <= at).min();
    unknown.map_or(0.0, |sent| at.duration_since(sent).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_report_is_known_from_the_first_status_that_counts_it() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let written: Vec<Written> = (0..4).map(|index| Written { version: 100 + index, sent: at(index) }).collect();
        let steps = vec![vec![Step(at(2), 2), Step(at(10), 4)], vec![Step(at(1), 1), Step(at(5), 4)]];
        assert_eq!(delays(&written, &steps, at(0), at(9)).unwrap(), [2.0, 1.0, 8.0, 7.0, 1.0, 4.0, 3.0, 2.0]);
        assert_eq!(delays(&written, &steps, at(3), at(9)).unwrap(), [7.0, 2.0]);
        assert_eq!(age(&written, &steps, at(4)), 3.0, "the second object does not know the second report");
        assert_eq!(age(&written, &steps, at(7)), 5.0);
        assert_eq!(age(&written, &steps, at(10)), 0.0);
        let short = vec![vec![Step(at(2), 2)]];
        assert!(delays(&written, &short, at(0), at(9)).is_err(), "never known");
    }
}
