//! Has the programs visit recorded sockets: the dirty ones ([`Visits::scan`]), one that is to leave ([`Visits::leave`]), or
//! all ([`Visits::resync`]).
//!
//! Those that are not promoted are reached from their own network namespace only, by most [ways](Way), so it is entered for them.
//! Where it is not known (any more), promoted ones are visited all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use meshaccel_abi::redirect::visit::{
    DIRTY, GATED, GONE, IS_PAIRED, IS_PROMOTED, OUTCOME, PENDING, PENDING_GATE, RESYNC, SCAN, WAKE,
};
use meshaccel_abi::redirect::{EndId, SocketMark, names};
use meshaccel_bpf::iterator::IteratorError;
use meshaccel_bpf::pins::Layout;
use meshaccel_bpf::sys::bpf;
use meshaccel_bpf::sys::netns::{self, Namespace, Traveller};
use meshaccel_model::NetnsCookie;

use super::records::Records;
use super::way::Way;
use crate::pods::{Slot, SlotTally};

/// Where the network namespaces are.
pub type Namespaces = BTreeMap<NetnsCookie, Namespace>;

/// What visits of some sockets have left to do.
#[derive(Clone, Debug, Default)]
pub struct Visited {
    /// Namespaces in which readers must be woken.
    pub to_wake: BTreeSet<NetnsCookie>,
    /// Some of them are to be visited again.
    pub again: bool,
    /// What it cost: time on a processor.
    pub took: Duration,
}

/// What became of a socket that is to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It has left, or is not there any more.
    Done,
    /// It has left, and its reader must be woken.
    Wake,
    /// Something is on its way to it, or unread.
    NotYet,
    /// The same, and its receive calls had better be gated.
    NotYetGate,
}

/// What a full resync found.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Recorded and promoted sockets of each slot.
    pub slots: BTreeMap<Slot, SlotTally>,
    /// Namespaces in which readers must be woken.
    pub to_wake: BTreeSet<NetnsCookie>,
    /// What it cost: time on a processor.
    pub took: Duration,
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

/// A full resync that has begun. On a node with 100,000 connections it takes the better part of a second, and other things must not
/// wait for its end.
pub struct Resync {
    to_come: Vec<(NetnsCookie, EndId, Slot)>,
    tally: Tally,
}

impl Resync {
    /// What it found, when nothing is left to come.
    pub fn result(&self) -> Option<&Tally> {
        self.to_come.is_empty().then_some(&self.tally)
    }
}

/// The visiting programs, and the maps that say whom to visit.
#[derive(Debug)]
pub struct Visits {
    way: Way,
    dirty: OwnedFd,
    records: Records,
}

impl Visits {
    /// The same for another thread.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { way: self.way.try_clone()?, dirty: self.dirty.try_clone()?, records: self.records.try_clone()? })
    }

    /// Opens the maps that are pinned.
    pub fn open(way: Way, layout: &Layout) -> io::Result<Self> {
        Ok(Self { way, dirty: bpf::open_pin(&layout.path(names::DIRTY))?, records: Records::open(layout)? })
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        self.way.name()
    }

    /// Pairs and promotes those that are dirty.
    pub fn scan(&self, namespaces: &Namespaces) -> Result<Visited, IteratorError> {
        let start = ThreadTime::now();
        let dirty: Vec<(u64, SocketMark)> = bpf::read_hash(self.dirty.as_fd()).map_err(failed)?;
        let mut visited = Visited::default();
        let dirty = dirty.into_iter().map(|(socket, mark)| (NetnsCookie(mark.netns_cookie), mark.id, socket));
        let took = self.visit_all(dirty, namespaces, SCAN, |cookie, socket, outcome| match outcome & OUTCOME {
            DIRTY => visited.again = true,
            WAKE => {
                visited.to_wake.insert(cookie);
            }
            // Its last message may have made it dirty after it was forgotten.
            GONE => {
                bpf::delete(self.dirty.as_fd(), &socket);
            }
            _ => {}
        })?;
        visited.took = took + start.elapsed();
        Ok(visited)
    }

    /// Tries to take out one that is to leave.
    pub fn leave(&self, id: &EndId) -> Result<Leave, IteratorError> {
        Ok(match self.way.leave(id)? {
            PENDING => Leave::NotYet,
            PENDING_GATE => Leave::NotYetGate,
            WAKE => Leave::Wake,
            _ => Leave::Done,
        })
    }

    /// Its receive calls are gated now.
    pub fn gated(&self, id: &EndId) -> Result<(), IteratorError> {
        self.way.tell(id, GATED)
    }

    /// Begins to count all sockets, to take back what must leave, and to remove records of sockets that are gone.
    pub fn resync(&self) -> Result<Resync, IteratorError> {
        let start = ThreadTime::now();
        let ends = self.records.all().map_err(failed)?;
        let to_come = ends.into_iter().map(|(id, end)| (NetnsCookie(end.key.netns_cookie), id, Slot(end.slot)));
        let mut resync = Resync { to_come: to_come.collect(), tally: Tally::default() };
        // Those of one namespace in one part.
        resync.to_come.sort_unstable_by_key(|(cookie, ..)| *cookie);
        resync.tally.took = start.elapsed();
        Ok(resync)
    }

    /// The next part of it, at most `most` sockets; then it may be over.
    pub fn go_on(&self, resync: &mut Resync, namespaces: &Namespaces, most: usize) -> Result<(), IteratorError> {
        let (start, tally) = (ThreadTime::now(), &mut resync.tally);
        let part = resync.to_come.split_off(resync.to_come.len().saturating_sub(most));
        let took = self.visit_all(part.into_iter(), namespaces, RESYNC, |cookie, slot, outcome| {
            match outcome & OUTCOME {
                GONE => return,
                WAKE => {
                    tally.to_wake.insert(cookie);
                }
                _ => {}
            }
            let slot = tally.slots.entry(slot).or_default();
            slot.recorded += 1;
            slot.paired += u64::from(outcome & IS_PAIRED != 0);
            slot.promoted += u64::from(outcome & IS_PROMOTED != 0);
        })?;
        resync.tally.took += took + start.elapsed();
        Ok(())
    }

    /// Visits these ends, a network namespace after the other, and tells what each has become. Gives the time that it took.
    fn visit_all<T: Copy + Send + Sync>(
        &self,
        ends: impl Iterator<Item = (NetnsCookie, EndId, T)>,
        namespaces: &Namespaces,
        purpose: u32,
        mut became: impl FnMut(NetnsCookie, T, u32),
    ) -> Result<Duration, IteratorError> {
        let mut ends: Vec<_> = ends.collect();
        if ends.is_empty() {
            return Ok(Duration::ZERO);
        }
        if self.way.is_everywhere() {
            let start = ThreadTime::now();
            let ends: Vec<_> = ends.into_iter().map(|(cookie, id, with)| (id, (cookie, with))).collect();
            self.way.visit(&ends, purpose, |(cookie, with), outcome| became(cookie, with, outcome))?;
            return Ok(start.elapsed());
        }
        // Those whose namespace is not known come first, while the thread has gone nowhere: promoted ones are reached from
        // anywhere.
        ends.sort_by_key(|(cookie, ..)| namespaces.contains_key(cookie).then_some(*cookie));
        let visit_each = |traveller: Option<&Traveller>| -> Result<_, IteratorError> {
            let start = ThreadTime::now();
            let mut outcomes = Vec::with_capacity(ends.len());
            for of_one in ends.chunk_by(|(one, ..), (other, ..)| one == other) {
                let cookie = of_one[0].0;
                if let Some((traveller, home)) = traveller.zip(namespaces.get(&cookie))
                    && let Err(error) = traveller.enter(home)
                {
                    // It is gone, and so are its sockets, all but those that somebody has taken elsewhere.
                    tracing::debug!(path = %home.display(), %error, "Could not enter a network namespace");
                }
                let of_one: Vec<_> = of_one.iter().map(|(_, id, with)| (*id, *with)).collect();
                self.way.visit(&of_one, purpose, |with, outcome| outcomes.push((cookie, with, outcome)))?;
            }
            Ok((outcomes, start.elapsed()))
        };
        let (outcomes, took) = match namespaces.is_empty() {
            true => visit_each(None)?,
            false => netns::travel(|traveller| visit_each(Some(traveller))).map_err(failed)??,
        };
        for (cookie, with, outcome) in outcomes {
            became(cookie, with, outcome);
        }
        Ok(took)
    }
}

fn failed(source: io::Error) -> IteratorError {
    IteratorError::Run { name: names::VISIT, source }
}

/// Time of this thread on a processor. Another clock would count a scan that was preempted as an expensive one, and the next
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
