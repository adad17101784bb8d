//! Connections between pods that were open before anyone recorded them.
//!
//! The far end may be in a pod that was selected long ago, so with scope NodeLocal all such namespaces are gone through, and that
//! takes a walk through the kernel's table of sockets for each: half a millisecond, more where the table is large. A roll-out must
//! not cost that for all pods at each of its pods. So it is done a namespace at a time, between whatever else there is to do; once
//! for all pods that came meanwhile; and the more it costs the more rarely. Nothing hangs on it: such a connection is on TCP, and
//! has been before.

use std::time::{Duration, Instant};

use meshaccel_bpf::iterator::LinkedIterator;
use meshaccel_bpf::sys::netns::Namespace;

use super::pace::Pace;
use crate::kernel::maps::Maps;
use crate::kernel::rows::Samples;

/// Pods seldom come alone.
const GATHER: Duration = Duration::from_millis(250);
/// At most one hundredth of a core.
const SHARE: u32 = 100;
const LONGEST: Duration = Duration::from_secs(60);

/// What is to be done of it.
#[derive(Debug, Default)]
pub struct Importing {
    /// Somebody has come since the last round began: when the next may begin.
    wanted: Option<Instant>,
    round: Option<Round>,
    pace: Pace,
    /// When the last round was over.
    ended: Option<Instant>,
}

#[derive(Debug)]
struct Round {
    began: Instant,
    to_come: Vec<Namespace>,
    samples: Samples,
    took: Duration,
}

impl Importing {
    /// A pod has come whose connections to other pods count.
    pub fn want(&mut self, now: Instant) {
        if self.wanted.is_none() {
            let rested = self.ended.map(|ended| ended + self.pace.pause(SHARE, Duration::ZERO, LONGEST));
            self.wanted = Some(rested.unwrap_or(now).max(now + GATHER));
        }
    }

    /// When the next part is due.
    pub fn due(&self) -> Option<Instant> {
        self.round.as_ref().map_or(self.wanted, |round| Some(round.began))
    }

    /// The next part is the first of a round.
    pub fn begins(&self) -> bool {
        self.round.is_none()
    }

    /// Begins a round through these namespaces.
    pub fn begin(&mut self, namespaces: Vec<Namespace>, now: Instant) {
        self.wanted = None;
        self.round = Some(Round { began: now, to_come: namespaces, samples: Samples::default(), took: Duration::ZERO });
    }

    /// One namespace more; after the last, all that was found is imported.
    pub fn go_on(&mut self, link: &LinkedIterator, maps: &mut Maps, now: Instant) {
        let Some(mut round) = self.round.take() else { return };
        let start = Instant::now();
        if let Some(namespace) = round.to_come.pop() {
            round.samples.take(link, &namespace);
            round.took += start.elapsed();
            self.round = Some(round);
            return;
        }
        let sockets = round.samples.import(link, maps);
        self.end(round.took + start.elapsed(), now);
        if sockets > 0 {
            tracing::info!(sockets, "Imported connections between pods that were open already");
        }
    }

    fn end(&mut self, took: Duration, now: Instant) {
        // Twice: of two costs the smaller one counts, and rounds are too rare to wait for a second.
        self.pace.took(took);
        self.pace.took(took);
        self.ended = Some(now);
        if let Some(wanted) = self.wanted.take() {
            self.want(now);
            self.wanted = self.wanted.map(|at| at.max(wanted));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds of 250 pods that come one after the other, each at its time, where a round takes so long.
    fn rounds(apart: Duration, took: Duration) -> usize {
        let (start, mut importing, mut rounds) = (Instant::now(), Importing::default(), 0);
        let mut run_until = |importing: &mut Importing, now: Instant| {
            while let Some(due) = importing.due().filter(|due| *due <= now) {
                importing.begin(Vec::new(), due);
                importing.round = None;
                importing.end(took, due + took);
                rounds += 1;
            }
        };
        for pod in 0..250 {
            let now = start + apart * pod;
            run_until(&mut importing, now);
            importing.want(now);
        }
        run_until(&mut importing, start + Duration::from_secs(36_000));
        assert_eq!(importing.due(), None, "a pod is left");
        rounds
    }

    #[test]
    fn a_roll_out_costs_few_rounds() {
        let millis = Duration::from_millis;
        // All at once, as at a start.
        assert_eq!(rounds(Duration::ZERO, millis(150)), 1);
        // One every 200 ms, 250 namespaces of 0.6 ms each: 50 s, a round every 15 s.
        assert!((2..=5).contains(&rounds(millis(200), millis(150))));
        // Large tables: as rarely as ever.
        assert_eq!(rounds(millis(200), millis(5000)), 2);
        // A pod now and then is seen to at once.
        assert_eq!(rounds(millis(30_000), millis(150)), 250);
    }
}
