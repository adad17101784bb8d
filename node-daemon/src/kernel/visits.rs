//! Has the programs visit recorded sockets: the marked ones ([`Visits::pass`]), or all ([`Visits::review`]).
//!
//! Those that are not promoted are reached from their own network namespace only, so it is entered for them. Where it is not
//! known (any more), promoted ones are visited all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use meshaccel_abi::visit::{
    GONE, IS_PAIRED, IS_PROMOTED, MARKED, OUTCOME, PASS, PENDING, REVIEW, WAKE_OWN, WAKE_PEER, visit,
};
use meshaccel_abi::{EndId, EndRecord, Mark, names};

use super::maps::Slot;
use super::passes::PassError;
use super::pins::Layout;
use crate::sys::netns::NetnsCookie;
use crate::sys::{bpf, netns};

/// Where the network namespaces are.
pub type Residences = BTreeMap<NetnsCookie, PathBuf>;

/// What a pass did.
#[derive(Clone, Debug, Default)]
pub struct Promoted {
    /// Namespaces in which readers must be woken.
    pub rescued: BTreeSet<NetnsCookie>,
    /// Some application is held and waits for the next pass.
    pub pending: bool,
    /// Some socket is still to be visited.
    pub marked: bool,
    /// What it cost: time on a processor.
    pub took: Duration,
}

/// What a review found.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Recorded and promoted sockets of each slot.
    pub slots: BTreeMap<Slot, SlotTally>,
    /// What it cost: time on a processor.
    pub took: Duration,
}

/// Sockets of one pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SlotTally {
    /// Sockets recorded.
    pub recorded: u64,
    /// Of these, whose peer is known.
    pub paired: u64,
    /// Of these, in the SOCKHASH.
    pub promoted: u64,
}

impl Tally {
    /// Over all slots.
    pub fn total(&self) -> SlotTally {
        self.slots.values().fold(SlotTally::default(), |sum, one| SlotTally {
            recorded: sum.recorded + one.recorded,
            paired: sum.paired + one.paired,
            promoted: sum.promoted + one.promoted,
        })
    }
}

/// A review that has begun. On a node with 100,000 connections it takes the better part of a second, and other things must not
/// wait for its end.
pub struct Review {
    to_come: Vec<(NetnsCookie, EndId, Slot)>,
    tally: Tally,
}

impl Review {
    /// What it found, when nothing is left to come.
    pub fn result(&self) -> Option<&Tally> {
        self.to_come.is_empty().then_some(&self.tally)
    }
}

/// The visiting program, and the maps that say whom to visit.
pub struct Visits {
    program: OwnedFd,
    marked: OwnedFd,
    ends: OwnedFd,
}

impl Visits {
    /// Opens the maps that are pinned.
    pub fn open(program: OwnedFd, layout: &Layout) -> io::Result<Self> {
        let open = |name| bpf::open_pin(&layout.path(name));
        Ok(Self { program, marked: open(names::MARKED)?, ends: open(names::ENDS)? })
    }

    /// Pairs, promotes, and takes out applications at which TCP's bytes wait unread.
    pub fn pass(&self, residences: &Residences) -> Result<Promoted, PassError> {
        let start = ThreadTime::now();
        let marked: Vec<(u64, Mark)> = bpf::read_hash(self.marked.as_fd()).map_err(failed)?;
        let mut promoted = Promoted::default();
        let marked = marked.into_iter().map(|(socket, mark)| (NetnsCookie(mark.netns_cookie), mark.id, socket));
        let took = self.visit_all(marked, residences, PASS, |cookie, id, socket, outcome| {
            match outcome & OUTCOME {
                MARKED => promoted.marked = true,
                PENDING => promoted.pending = true,
                WAKE_OWN => {
                    promoted.rescued.insert(cookie);
                }
                WAKE_PEER => promoted.rescued.extend(self.netns_of(&id.peer())),
                // Its last message may have marked it after it was forgotten.
                GONE => bpf::delete(self.marked.as_fd(), &socket),
                _ => {}
            }
        })?;
        promoted.marked |= !promoted.rescued.is_empty();
        promoted.took = took + start.elapsed();
        Ok(promoted)
    }

    /// Begins to count all sockets, to take back what must leave, and to remove records of sockets that are gone.
    pub fn review(&self) -> Result<Review, PassError> {
        let start = ThreadTime::now();
        let ends: Vec<(EndId, EndRecord)> = bpf::read_hash(self.ends.as_fd()).map_err(failed)?;
        let to_come = ends.into_iter().map(|(id, end)| (NetnsCookie(end.key.netns_cookie), id, Slot(end.slot)));
        let mut review = Review { to_come: to_come.collect(), tally: Tally::default() };
        // Those of one namespace in one part.
        review.to_come.sort_unstable_by_key(|(cookie, ..)| *cookie);
        review.tally.took = start.elapsed();
        Ok(review)
    }

    /// The next part of it, at most `most` sockets; then it may be over.
    pub fn go_on(&self, review: &mut Review, residences: &Residences, most: usize) -> Result<(), PassError> {
        let (start, tally) = (ThreadTime::now(), &mut review.tally);
        let part = review.to_come.split_off(review.to_come.len().saturating_sub(most));
        let took = self.visit_all(part.into_iter(), residences, REVIEW, |_, _, slot, outcome| {
            if outcome & OUTCOME == GONE {
                return;
            }
            let slot = tally.slots.entry(slot).or_default();
            slot.recorded += 1;
            slot.paired += u64::from(outcome & IS_PAIRED != 0);
            slot.promoted += u64::from(outcome & IS_PROMOTED != 0);
        })?;
        review.tally.took += took + start.elapsed();
        Ok(())
    }

    /// Visits these ends, a network namespace after the other, and tells what each has become. Gives the time that it took.
    fn visit_all<T: Copy + Send>(
        &self,
        ends: impl Iterator<Item = (NetnsCookie, EndId, T)>,
        residences: &Residences,
        purpose: u32,
        mut became: impl FnMut(NetnsCookie, EndId, T, u32),
    ) -> Result<Duration, PassError> {
        let mut ends: Vec<_> = ends.collect();
        if ends.is_empty() {
            return Ok(Duration::ZERO);
        }
        // Those whose namespace is not known come first, while the thread has gone nowhere: promoted ones are reached from
        // anywhere.
        ends.sort_by_key(|(cookie, ..)| residences.contains_key(cookie).then_some(*cookie));
        let visited = netns::travel(|traveller| -> io::Result<_> {
            let start = ThreadTime::now();
            let (mut outcomes, mut here) = (Vec::with_capacity(ends.len()), None);
            for (cookie, id, with) in ends {
                if let Some(path) = residences.get(&cookie).filter(|_| here != Some(cookie)) {
                    here = Some(cookie);
                    if let Err(error) = traveller.enter(path) {
                        // It is gone, and so are its sockets, all but those that somebody has taken elsewhere.
                        tracing::debug!(path = %path.display(), %error, "Could not enter a network namespace");
                    }
                }
                let outcome = bpf::run_classifier(self.program.as_fd(), visit(&id, purpose))?;
                outcomes.push((cookie, id, with, outcome));
            }
            Ok((outcomes, start.elapsed()))
        });
        let (outcomes, took) = visited.and_then(|visited| visited).map_err(failed)?;
        for (cookie, id, with, outcome) in outcomes {
            became(cookie, id, with, outcome);
        }
        Ok(took)
    }

    /// The network namespace of an end.
    fn netns_of(&self, id: &EndId) -> Option<NetnsCookie> {
        let end: EndRecord = bpf::lookup(self.ends.as_fd(), id).ok()?;
        Some(NetnsCookie(end.key.netns_cookie))
    }
}

fn failed(source: io::Error) -> PassError {
    PassError::Run { name: names::VISIT, source }
}

/// Time of this thread on a processor. Another clock would count a pass that was preempted as an expensive one, and the next
/// would come late.
struct ThreadTime(Duration);

impl ThreadTime {
    fn now() -> Self {
        // The clock of the calling thread is always there.
        Self(
            nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID)
                .map_or(Duration::ZERO, Duration::from),
        )
    }

    fn elapsed(&self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }
}
