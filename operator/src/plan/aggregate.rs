//! Folds what each node reports into what one MeshAcceleration has come to. Pure.

use std::collections::{BTreeMap, HashMap};

use meshaccel_crds::{Phase, Share};

use super::names::Names;
use super::observed::{Acceleration, Now, Observed, Report, has_labels};

/// The shares of all reports, by the MeshAcceleration's uid: one pass over the reports serves every object.
#[derive(Debug, Default)]
pub struct Shares<'a>(HashMap<&'a str, Vec<Part<'a>>>);

/// One node's share.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    pub node: &'a str,
    pub report: &'a Report,
    pub share: &'a Share,
}

impl<'a> Shares<'a> {
    pub fn of(observed: &'a Observed) -> Self {
        let mut shares = Self::default();
        for (node, report) in &observed.reports {
            // What a node that is gone had to say went with it.
            if observed.node_of(node, report).is_none() {
                continue;
            }
            for share in &report.status.accelerations {
                shares.0.entry(&share.uid).or_default().push(Part { node, report, share });
            }
        }
        shares
    }

    /// The parts of one MeshAcceleration, by node name.
    pub fn get(&self, uid: &str) -> &[Part<'a>] {
        self.0.get(uid).map_or(&[], Vec::as_slice)
    }
}

/// What became of one MeshAcceleration.
#[derive(Clone, Debug, Default)]
pub struct Aggregate<'a> {
    /// Nodes that it names.
    pub desired: usize,
    /// Of these: in force for every pod.
    pub ready: usize,
    /// Of these: in force in part or not at all, and why.
    pub degraded: Names<'a>,
    /// One degraded node's own words.
    pub because: Option<(&'a str, &'a str)>,
    /// Of these: the report is about an earlier generation, or says that it is not yet in force.
    pub waiting: Names<'a>,
    /// Of these: no daemon has ever reported.
    pub unheard: Names<'a>,
    /// Of these: no report for too long.
    pub silent: Names<'a>,
    /// When this process started, these had not reported for long by the clock, and have not since.
    pub old: bool,
    pub pods: i64,
    pub connections: i64,
    pub redirected_bytes: i64,
    /// What nodes say of other objects that select the same pods.
    pub conflicts: BTreeMap<&'a str, Tally<'a>>,
}

/// Pods that another object selects, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally<'a> {
    pub wins: bool,
    pub pods: i64,
    pub example: &'a str,
}

/// Folds.
pub fn aggregate<'a>(
    acceleration: &Acceleration,
    observed: &'a Observed,
    shares: &Shares<'a>,
    now: Now,
) -> Aggregate<'a> {
    let parts = shares.get(&acceleration.uid);
    let mut aggregate = Aggregate::default();
    for part in parts {
        aggregate.count(part.share);
    }
    let Some(selector) = acceleration.node_selector() else { return aggregate };
    // Both are in the order of the nodes' names.
    let mut parts = parts.iter().peekable();
    for (name, node) in &observed.nodes {
        while parts.next_if(|part| part.node < name.as_str()).is_some() {}
        if !has_labels(&node.labels, selector) {
            continue;
        }
        aggregate.desired += 1;
        let share = parts.next_if(|part| part.node == name.as_str()).map(|part| part.share);
        match observed.reports.get(name).filter(|report| observed.node_of(name, report).is_some()) {
            None => aggregate.unheard.add(name),
            Some(report) if observed.is_silent(report, now.instant) => aggregate.silent.add(name),
            Some(report) => {
                aggregate.old |= report.old;
                aggregate.place(name, share, acceleration.generation);
            }
        }
    }
    aggregate
}

impl<'a> Aggregate<'a> {
    fn place(&mut self, node: &'a str, share: Option<&'a Share>, generation: i64) {
        let Some(share) = share.filter(|share| share.observed_generation >= generation) else {
            return self.waiting.add(node);
        };
        match share.phase {
            Phase::Programmed => self.ready += 1,
            Phase::Degraded => {
                self.degraded.add(node);
                self.because.get_or_insert((node, &share.message));
            }
            Phase::Pending | Phase::Releasing | Phase::Released => self.waiting.add(node),
        }
    }

    fn count(&mut self, share: &'a Share) {
        self.pods = self.pods.saturating_add(share.pods.max(0));
        self.connections = self.connections.saturating_add(share.connections.max(0));
        self.redirected_bytes = self.redirected_bytes.saturating_add(share.redirected_bytes.max(0));
        for conflict in &share.conflicts {
            let tally = self.conflicts.entry(&conflict.with).or_default();
            tally.wins |= conflict.wins;
            tally.pods = tally.pods.saturating_add(conflict.pods.max(0));
            if tally.example.is_empty() {
                tally.example = &conflict.example;
            }
        }
    }
}
