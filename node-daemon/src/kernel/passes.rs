//! Runs the iterators and reads what they write.

use std::collections::HashSet;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use bytemuck::Pod;
use meshaccel_abi::{AdoptSample, ConnectionRow, EndId, names};
use thiserror::Error;

use super::maps::Maps;
use super::pins::Layout;
use crate::adopt;
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

/// Wakes the readers of sockets that were taken out in the namespace at `path`.
pub fn kick(link: &Pass, path: &Path) -> Result<(), PassError> {
    netns::enter(path, || link.run(|_: &u8| {}))
        .unwrap_or_else(|source| Err(PassError::Open { name: names::KICK, source }))
}

/// Every recorded socket that somebody has open.
pub fn list(layout: &Layout, mut row: impl FnMut(&ConnectionRow)) -> Result<(), PassError> {
    // A socket that several processes have open comes several times.
    let mut seen = HashSet::new();
    Pass::open(layout, names::LIST)?.run(|one: &ConnectionRow| {
        if seen.insert(one.connection.key.socket_cookie) {
            row(one);
        }
    })
}

/// One retiring pass: whether, and roughly how many, sockets are still in the SOCKHASH after it.
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
