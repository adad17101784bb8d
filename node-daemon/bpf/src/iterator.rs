//! Runs the iterators and reads what they write.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use bytemuck::Pod;
use thiserror::Error;

use crate::pins::Layout;
use crate::sys::bpf;

/// What can go wrong with an iterator.
#[derive(Debug, Error)]
pub enum IteratorError {
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
#[derive(Debug)]
pub struct LinkedIterator {
    name: &'static str,
    link: OwnedFd,
}

impl LinkedIterator {
    /// Opens the pinned link.
    pub fn open(layout: &Layout, name: &'static str) -> Result<Self, IteratorError> {
        let link = bpf::open_pin(&layout.path(name)).map_err(|source| IteratorError::Open { name, source })?;
        Ok(Self { name, link })
    }

    /// The same for another thread.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { name: self.name, link: self.link.try_clone()? })
    }

    /// From a link that is not pinned.
    pub fn from_link(name: &'static str, link: OwnedFd) -> Self {
        Self { name, link }
    }

    /// Runs it once, and hands each row to `row`. Reads in bounded pieces: a node may hold 100,000 connections.
    pub fn run<T: Pod>(&self, mut row: impl FnMut(&T)) -> Result<(), IteratorError> {
        let failed = |source| IteratorError::Run { name: self.name, source };
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
