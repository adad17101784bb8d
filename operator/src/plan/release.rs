//! Whether a MeshAcceleration that is being deleted may go: when every live node has said that nothing of it is left.

use std::time::Duration;

use meshaccel_crds::Phase;

use super::names::Names;
use super::observed::{Acceleration, Now, Observed, Report};

/// A report that was seen so long after the deletion was seen was also written after it: two watches of one API server do
/// not lie further apart. Comparing the times that stand in the objects would trust every node's clock.
pub const SURELY_LATER: Duration = Duration::from_secs(10);

/// What a deletion waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release<'a> {
    /// Live nodes that have not said so.
    pub waiting: Names<'a>,
    /// Nodes that were not waited for, since they have been silent for too long.
    pub silent: Names<'a>,
}

/// Asks every report.
pub fn release<'a>(acceleration: &Acceleration, observed: &'a Observed, now: Now) -> Release<'a> {
    let mut release = Release::default();
    for (name, report) in &observed.reports {
        if observed.node_of(name, report).is_none() || has_released(acceleration, report) {
            continue;
        }
        if observed.is_silent(report, now.instant) {
            // A silent node that never spoke of it has nothing to release, as far as anybody knows.
            if report.share(&acceleration.uid).is_some() {
                release.silent.add(name);
            }
        } else {
            release.waiting.add(name);
        }
    }
    release
}

fn has_released(acceleration: &Acceleration, report: &Report) -> bool {
    let later = acceleration.deletion_seen.is_some_and(|seen| report.seen >= seen + SURELY_LATER);
    match report.share(&acceleration.uid) {
        // Of an earlier generation: it may have come back since.
        Some(share) if share.phase == Phase::Released => later || share.observed_generation >= acceleration.generation,
        Some(_) => false,
        // Perhaps it was written before the daemon heard of the object.
        None => later,
    }
}
