//! How recorded sockets are visited: the ways differ in what this kernel lets programs do, and are tried in this order.
//!
//! 1. A classifier that is run for one socket does everything (up to Linux 7.2).
//! 2. Iterators over the socket storage, and so over recorded sockets alone, of all namespaces, pair, promote and resync. What is to
//!    leave, and perhaps is waited for, is done for one socket by a classifier that does not touch the SOCKHASH, and its key is
//!    removed here.
//! 3. The same with iterators over the TCP sockets of one network namespace after the other, for which each goes through the
//!    machine's whole table of sockets (where the others are refused).

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use meshaccel_abi::redirect::visit::{LEAVE, LEFT, OUT_OF_REACH, OUTCOME, REMOVED, SWEEP, Scanned, visit};
use meshaccel_abi::redirect::{EndId, SocketKey, names};
use meshaccel_bpf::iterator::{IteratorError, LinkedIterator};
use meshaccel_bpf::pins::Layout;
use meshaccel_bpf::sys::bpf;

use super::records::Records;

/// One of the ways.
#[derive(Debug)]
pub enum Way {
    Classifier(OwnedFd),
    Iterators(Iterators),
}

/// What the second and the third consist of.
#[derive(Debug)]
pub struct Iterators {
    over: Over,
    /// By purpose.
    scans: [LinkedIterator; 2],
    apart: Apart,
}

/// What iterators go over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Storage,
    Namespace,
}

/// Takes one socket out without changing the SOCKHASH in a program.
#[derive(Debug)]
struct Apart {
    program: OwnedFd,
    sockets: OwnedFd,
    records: Records,
}

impl Iterators {
    /// `program`: [`names::LEAVE`].
    pub fn open(over: Over, scans: [LinkedIterator; 2], program: OwnedFd, layout: &Layout) -> io::Result<Self> {
        let apart =
            Apart { program, sockets: bpf::open_pin(&layout.path(names::SOCKETS))?, records: Records::open(layout)? };
        Ok(Self { over, scans, apart })
    }

    fn try_clone(&self) -> io::Result<Self> {
        let [scan, resync] = &self.scans;
        let Apart { program, sockets, records } = &self.apart;
        let apart =
            Apart { program: program.try_clone()?, sockets: sockets.try_clone()?, records: records.try_clone()? };
        Ok(Self { over: self.over, scans: [scan.try_clone()?, resync.try_clone()?], apart })
    }

    fn visit<T: Copy>(
        &self,
        ends: &[(EndId, T)],
        purpose: u32,
        mut became: impl FnMut(T, u32),
    ) -> Result<(), IteratorError> {
        let mut outcomes = HashMap::new();
        self.scans[purpose as usize].run(|row: &Scanned| {
            outcomes.insert(row.id, row.outcome);
        })?;
        for (id, with) in ends {
            // A socket that moves meanwhile may not come, nor one of another namespace: is it gone?
            let outcome = outcomes.get(id).copied().map_or_else(|| self.apart.run(id, SWEEP, 0), Ok);
            became(*with, outcome.map_err(failed)?);
        }
        Ok(())
    }
}

impl Apart {
    fn run(&self, id: &EndId, purpose: u32, generation: u32) -> io::Result<u32> {
        bpf::run_classifier(self.program.as_fd(), visit(id, purpose, generation))
    }

    /// The program goes on only if the key is still the one that was read here: it, and no other, is removed then.
    fn leave(&self, id: &EndId) -> io::Result<u32> {
        let Ok(record) = self.records.get(id) else { return Ok(OUT_OF_REACH) };
        let outcome = self.run(id, LEAVE, record.key.generation)?;
        if outcome & LEFT != 0 {
            bpf::delete::<SocketKey>(self.sockets.as_fd(), &record.key);
            self.run(id, REMOVED, record.key.generation)?;
        }
        Ok(outcome)
    }
}

impl Way {
    /// The same for another thread.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Classifier(program) => Self::Classifier(program.try_clone()?),
            Self::Iterators(iterators) => Self::Iterators(iterators.try_clone()?),
        })
    }

    /// For people and for `/status`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Classifier(_) => "classifier",
            Self::Iterators(Iterators { over: Over::Storage, .. }) => "storage",
            Self::Iterators(Iterators { over: Over::Namespace, .. }) => "scan",
        }
    }

    /// One visit reaches all namespaces; else only the calling thread's (and those in the SOCKHASH).
    pub fn is_everywhere(&self) -> bool {
        matches!(self, Self::Iterators(Iterators { over: Over::Storage, .. }))
    }

    /// Visits these ends, and tells what each has become.
    pub fn visit<T: Copy>(
        &self,
        ends: &[(EndId, T)],
        purpose: u32,
        mut became: impl FnMut(T, u32),
    ) -> Result<(), IteratorError> {
        match self {
            Self::Classifier(program) => {
                for (id, with) in ends {
                    let outcome = bpf::run_classifier(program.as_fd(), visit(id, purpose, 0)).map_err(failed)?;
                    became(*with, outcome);
                }
                Ok(())
            }
            Self::Iterators(iterators) => iterators.visit(ends, purpose, became),
        }
    }

    /// Tries to take out one that is to leave. It is found in the SOCKHASH, and so from anywhere.
    pub fn leave(&self, id: &EndId) -> Result<u32, IteratorError> {
        let outcome = match self {
            Self::Classifier(program) => bpf::run_classifier(program.as_fd(), visit(id, LEAVE, 0)),
            Self::Iterators(iterators) => iterators.apart.leave(id),
        };
        outcome.map(|outcome| outcome & OUTCOME).map_err(failed)
    }

    /// One more thing that is done for one socket.
    pub fn tell(&self, id: &EndId, purpose: u32) -> Result<(), IteratorError> {
        let told = match self {
            Self::Classifier(program) => bpf::run_classifier(program.as_fd(), visit(id, purpose, 0)),
            Self::Iterators(iterators) => iterators.apart.run(id, purpose, 0),
        };
        told.map(drop).map_err(failed)
    }
}

fn failed(source: io::Error) -> IteratorError {
    IteratorError::Run { name: names::VISIT, source }
}
