//! Wakes the readers of sockets that left the SOCKHASH with bytes waiting in their TCP queue.
//!
//! Setting SO_RCVLOWAT to what it is does it (tcp_set_rcvlowat). From Linux 6.1 on the program does that itself; before, an option
//! set by a program is stored and nothing more, so user space sets it, at the socket of whoever has it open.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;

use meshaccel_abi::redirect::names;
use meshaccel_bpf::iterator::{IteratorError, LinkedIterator};
use meshaccel_bpf::sys::netns::Namespace;
use meshaccel_bpf::sys::{descriptors, socket};

/// Who sets the option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Wakes {
    Program,
    Descriptor,
}

/// The iterator that says whose readers they are.
#[derive(Debug)]
pub struct ReaderWaker {
    iterator: LinkedIterator,
    by: Wakes,
}

impl ReaderWaker {
    /// From its link, which is not pinned. `by_program`: as `Offsets::wakes`.
    pub fn new(link: OwnedFd, by_program: bool) -> Self {
        let by = if by_program { Wakes::Program } else { Wakes::Descriptor };
        Self { iterator: LinkedIterator::from_link(names::WAKE_READERS, link), by }
    }

    /// The same for another thread.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { iterator: self.iterator.try_clone()?, by: self.by })
    }

    /// Those of a network namespace.
    pub fn run(&self, namespace: &Namespace) -> Result<(), IteratorError> {
        namespace
            .enter(|| self.run_here())
            .unwrap_or_else(|source| Err(IteratorError::Open { name: names::WAKE_READERS, source }))
    }

    /// Those of the calling thread's.
    pub fn run_here(&self) -> Result<(), IteratorError> {
        let mut cookies = BTreeSet::new();
        self.iterator.run(|cookie: &u64| {
            cookies.insert(*cookie);
        })?;
        if self.by == Wakes::Program || cookies.is_empty() {
            return Ok(());
        }
        let wake = |socket: OwnedFd| {
            if let Err(error) = socket::wake_reader(&socket) {
                tracing::debug!(%error, "Could not wake the reader of a socket");
            }
        };
        descriptors::find(cookies, wake).map_err(|source| IteratorError::Run { name: names::WAKE_READERS, source })
    }
}
