//! Runs the iterators and reads what they write.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use bytemuck::Pod;
use meshaccel_abi::{AdoptSample, ConnectionRow, EndId, names};
use thiserror::Error;

use super::maps::Maps;
use super::pins::Layout;
use crate::adopt;
use crate::sys::bpf;
use crate::sys::netns::Namespace;

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
#[derive(Debug)]
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

    /// The same for another thread.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { name: self.name, link: self.link.try_clone()? })
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

/// Records the connections that were open within these namespaces, or between them, before anyone recorded them.
pub fn adopt(link: &Pass, maps: &mut Maps, namespaces: &[&Namespace]) -> usize {
    let mut samples = Samples::default();
    for namespace in namespaces {
        samples.take(link, namespace);
    }
    samples.adopt(link, maps)
}

/// Sockets that nobody has recorded, of some namespaces. All are sampled before any pairing, since the two ends of a connection
/// may be in two of them. It may take its time: what is sampled never changes while the socket lives.
#[derive(Debug, Default)]
pub struct Samples(Vec<(Namespace, Vec<AdoptSample>)>);

impl Samples {
    /// Those of one more namespace.
    pub fn take(&mut self, link: &Pass, namespace: &Namespace) {
        let mut samples = Vec::new();
        match in_namespace(link, namespace, |sample| samples.push(*sample)) {
            Ok(()) => self.0.push((namespace.clone(), samples)),
            // One that went away meanwhile has no connections left.
            Err(error) => {
                tracing::debug!(path = %namespace.display(), %error, "Skipped a network namespace that cannot be sampled");
            }
        }
    }

    /// Pairs them and records those with a peer among them: how many. Goes only where there are such.
    pub fn adopt(self, link: &Pass, maps: &mut Maps) -> usize {
        let all: Vec<AdoptSample> = self.0.iter().flat_map(|(_, samples)| samples).copied().collect();
        let identities: HashMap<u64, EndId> = adopt::pair(&all).into_iter().collect();
        for (&cookie, &id) in &identities {
            if let Err(error) = maps.adopt(cookie, id) {
                tracing::warn!(%error, "Could not adopt all connections that are open already");
                break;
            }
        }
        for (namespace, samples) in &self.0 {
            if samples.iter().any(|sample| identities.contains_key(&sample.socket_cookie)) {
                let _ = in_namespace(link, namespace, |_| {});
            }
        }
        for &cookie in identities.keys() {
            maps.adopted(cookie);
        }
        identities.len()
    }
}

fn in_namespace(link: &Pass, namespace: &Namespace, row: impl FnMut(&AdoptSample) + Send) -> Result<(), PassError> {
    namespace.enter(|| link.run(row)).unwrap_or_else(|source| Err(PassError::Open { name: names::ADOPT, source }))
}
