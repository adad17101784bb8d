//! What the iterators tell, and have done.

use std::collections::{HashMap, HashSet};

use meshaccel_abi::redirect::{AdoptSample, ConnectionRow, EndId, names};
use meshaccel_bpf::passes::{Pass, PassError};
use meshaccel_bpf::pins::Layout;
use meshaccel_bpf::sys::netns::Namespace;

use super::maps::Maps;
use crate::adopt;

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
