//! NodeAccelerations that nobody writes any more, and are deleted. Pure.
//!
//! A report whose Node is deleted goes by its ownerReference. What is left are reports of daemons that were taken off a
//! node that stays, and reports that nobody owns.

use std::time::Duration;

use super::observed::{Now, Observed, Report};
use super::placement::Placement;

/// A daemon writes every 60 s at least: after this time without a report it is gone, and will not make the object anew.
pub const SURELY_GONE: Duration = Duration::from_secs(90);

/// Names and uids of the reports to delete.
pub fn abandoned(observed: &Observed, placement: &Placement, now: Now) -> Vec<(String, String)> {
    observed
        .reports
        .iter()
        .filter(|(name, report)| is_abandoned(observed, placement, name, report, now))
        .map(|(name, report)| (name.clone(), report.uid.clone()))
        .collect()
}

fn is_abandoned(observed: &Observed, placement: &Placement, name: &str, report: &Report, now: Now) -> bool {
    // Nothing is to be done anywhere, and the DaemonSet is gone.
    if *placement == Placement::Nowhere && observed.daemon_set.is_none() {
        return true;
    }
    let wanted = observed.node_of(name, report).is_some_and(|node| placement.includes(name, &node.labels));
    !wanted && observed.age(report, now.instant) >= SURELY_GONE
}
