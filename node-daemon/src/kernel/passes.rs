//! Runs the iterators and reads what they write.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use bytemuck::Pod;
use meshaccel_abi::connection::{MARKED, PASS_PAIRED, PENDING, STATE_CANDIDATE};
use meshaccel_abi::{AdoptSample, ConnectionRow, EndId, PassRow, RescueRow, names};
use thiserror::Error;

use super::maps::{Maps, Slot};
use super::pins::Layout;
use crate::adopt;
use crate::sys::netns::NetnsCookie;
use crate::sys::{bpf, netns};

/// What can go wrong with a pass.
#[derive(Debug, Error)]
pub enum PassError {
    #[error("cannot open the iterator {name}")]
    Open {
        name: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("cannot run the iterator {name}")]
    Run {
        name: &'static str,
        #[source]
        source: io::Error,
    },
}

/// A linked iterator.
pub struct Pass {
    name: &'static str,
    link: OwnedFd,
}

impl Pass {
    /// Opens the pinned link.
    pub fn open(layout: &Layout, name: &'static str) -> Result<Self, PassError> {
        let link = bpf::open_pin(&layout.path(name)).map_err(|source| PassError::Open { name, source })?;
        Ok(Self { name, link })
    }

    /// From a link that is not pinned.
    pub fn from_link(name: &'static str, link: OwnedFd) -> Self {
        Self { name, link }
    }

    /// Runs one pass and hands each row to `row`. Reads in bounded pieces: a node may hold 100,000 connections.
    pub fn run<T: Pod>(&self, mut row: impl FnMut(&T)) -> Result<(), PassError> {
        let failed = |source| PassError::Run { name: self.name, source };
        let mut file = bpf::iterate(self.link.as_fd()).map_err(failed)?;
        let (mut buffer, mut filled) = (vec![0u8; 64 * 1024], 0);
        loop {
            let read = match file.read(&mut buffer[filled..]) {
                // The kernel asks to be called again when a signal came or its budget for one call is used up.
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {
                    continue;
                }
                other => other.map_err(failed)?,
            };
            if read == 0 {
                return Ok(());
            }
            filled += read;
            let whole = filled - filled % size_of::<T>();
            for chunk in buffer[..whole].chunks_exact(size_of::<T>()) {
                row(&bytemuck::pod_read_unaligned(chunk));
            }
            buffer.copy_within(whole..filled, 0);
            filled -= whole;
        }
    }
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

/// What a pass did.
#[derive(Clone, Debug, Default)]
pub struct Promoted {
    /// Namespaces in which readers must be woken.
    pub rescued: BTreeSet<NetnsCookie>,
    /// Some application is held and waits for the next pass.
    pub pending: bool,
    /// Some socket is still to be visited.
    pub marked: bool,
    /// What it cost: time of this thread on a processor.
    pub took: Duration,
}

/// Wakes the readers of sockets that were taken out in the namespace at `path`.
pub fn kick(link: &Pass, path: &Path) -> Result<(), PassError> {
    netns::enter(path, || link.run(|_: &u8| {}))
        .unwrap_or_else(|source| Err(PassError::Open { name: names::KICK, source }))
}

/// What a review found.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Recorded and promoted sockets of each slot.
    pub slots: std::collections::BTreeMap<Slot, SlotTally>,
    /// What it cost: time of this thread on a processor.
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

/// The iterators over what is recorded.
pub struct Passes {
    promote: Pass,
    review: Pass,
    list: Pass,
    sweep: Pass,
}

impl Passes {
    /// Opens the pinned links.
    pub fn open(layout: &Layout) -> Result<Self, PassError> {
        Ok(Self {
            promote: Pass::open(layout, names::PROMOTE)?,
            review: Pass::open(layout, names::REVIEW)?,
            list: Pass::open(layout, names::LIST)?,
            sweep: Pass::open(layout, names::SWEEP)?,
        })
    }

    /// Pairs, promotes, and takes out applications at which TCP's bytes wait unread.
    pub fn promote(&self) -> Result<Promoted, PassError> {
        let (start, mut promoted) = (ThreadTime::now(), Promoted::default());
        self.promote.run(|row: &RescueRow| match row.netns_cookie {
            PENDING => promoted.pending = true,
            MARKED => promoted.marked = true,
            cookie => {
                promoted.marked = true;
                promoted.rescued.insert(NetnsCookie(cookie));
            }
        })?;
        promoted.took = start.elapsed();
        Ok(promoted)
    }

    /// Counts all sockets, and takes back what must leave.
    pub fn review(&self) -> Result<Tally, PassError> {
        let (start, mut tally) = (ThreadTime::now(), Tally::default());
        self.review.run(|row: &PassRow| {
            let slot = tally.slots.entry(Slot(u32::from(row.slot))).or_default();
            slot.recorded += 1;
            slot.paired += u64::from(row.state & PASS_PAIRED != 0);
            slot.promoted += u64::from(u32::from(row.state & !PASS_PAIRED) != STATE_CANDIDATE);
        })?;
        tally.took = start.elapsed();
        Ok(tally)
    }

    /// Every recorded socket.
    pub fn list(&self, row: impl FnMut(&ConnectionRow)) -> Result<(), PassError> {
        self.list.run(row)
    }

    /// Removes records whose socket is gone.
    pub fn sweep(&self) -> Result<(), PassError> {
        self.sweep.run(|_: &u8| {})
    }
}

/// The listing alone, for commands that only read.
pub fn list(layout: &Layout, row: impl FnMut(&ConnectionRow)) -> Result<(), PassError> {
    Pass::open(layout, names::LIST)?.run(row)
}

/// One retiring pass: how many sockets are still in the SOCKHASH after it.
pub fn retire(layout: &Layout) -> Result<u64, PassError> {
    let mut remaining = 0;
    Pass::open(layout, names::RETIRE)?.run(|_: &u8| remaining += 1)?;
    Ok(remaining)
}

/// Records the connections that were open in these namespaces before anyone recorded them. All namespaces are sampled
/// before any pairing, since the two ends of a connection may be in two of them.
pub fn adopt(link: &Pass, maps: &mut Maps, namespaces: &[&Path]) -> Result<usize, PassError> {
    let run = |path: &Path, row: &mut (dyn FnMut(&AdoptSample) + Send)| {
        netns::enter(path, || link.run(row))
            .unwrap_or_else(|source| Err(PassError::Open { name: names::ADOPT, source }))
    };
    let mut samples = Vec::new();
    for path in namespaces {
        // A namespace that went away meanwhile has no connections left.
        if let Err(error) = run(path, &mut |sample| samples.push(*sample)) {
            tracing::debug!(path = %path.display(), %error, "Skipped a network namespace that cannot be sampled");
        }
    }
    let identities: Vec<(u64, EndId)> = adopt::pair(&samples);
    for &(cookie, id) in &identities {
        if let Err(error) = maps.adopt(cookie, id) {
            tracing::warn!(%error, "Could not adopt all connections that are open already");
            break;
        }
    }
    for path in namespaces {
        let _ = run(path, &mut |_| {});
    }
    for (cookie, _) in &identities {
        maps.adopted(*cookie);
    }
    Ok(identities.len())
}
