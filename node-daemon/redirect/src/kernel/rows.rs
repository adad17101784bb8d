//! What the iterators tell, and have done.

use std::collections::{HashMap, HashSet};

use meshaccel_abi::redirect::{ConnectionRow, EndId, ImportSample, names};
use meshaccel_bpf::iterator::{IteratorError, LinkedIterator};
use meshaccel_bpf::pins::Layout;
use meshaccel_bpf::sys::netns::Namespace;

use super::maps::Maps;
use crate::import;

/// Every recorded socket that somebody has open.
pub fn list(layout: &Layout, mut row: impl FnMut(&ConnectionRow)) -> Result<(), IteratorError> {
    // A socket that several processes have open comes several times.
    let mut seen = HashSet::new();
    LinkedIterator::open(layout, names::LIST)?.run(|one: &ConnectionRow| {
        if seen.insert(one.connection.key.socket_cookie) {
            row(one);
        }
    })
}

/// One run of the retiring iterator: whether, and roughly how many, sockets are still in the SOCKHASH after it.
pub fn retire(layout: &Layout) -> Result<u64, IteratorError> {
    let mut remaining = 0;
    LinkedIterator::open(layout, names::RETIRE)?.run(|_: &u8| remaining += 1)?;
    Ok(remaining)
}

/// Records the connections that were open within these namespaces, or between them, before anyone recorded them.
pub fn import(link: &LinkedIterator, maps: &mut Maps, namespaces: &[&Namespace]) -> usize {
    let mut samples = Samples::default();
    for namespace in namespaces {
        samples.take(link, namespace);
    }
    samples.import(link, maps)
}

/// Sockets that nobody has recorded, of some namespaces. All are sampled before any pairing, since the two ends of a connection
/// may be in two of them. It may take its time: what is sampled never changes while the socket lives.
#[derive(Debug, Default)]
pub struct Samples(Vec<(Namespace, Vec<ImportSample>)>);

impl Samples {
    /// Those of one more namespace.
    pub fn take(&mut self, link: &LinkedIterator, namespace: &Namespace) {
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
    pub fn import(self, link: &LinkedIterator, maps: &mut Maps) -> usize {
        let all: Vec<ImportSample> = self.0.iter().flat_map(|(_, samples)| samples).copied().collect();
        let identities: HashMap<u64, EndId> = import::pair(&all).into_iter().collect();
        for (&cookie, &id) in &identities {
            if let Err(error) = maps.import(cookie, id) {
                tracing::warn!(%error, "Could not import all connections that are open already");
                break;
            }
        }
        for (namespace, samples) in &self.0 {
            if samples.iter().any(|sample| identities.contains_key(&sample.socket_cookie)) {
                let _ = in_namespace(link, namespace, |_| {});
            }
        }
        for &cookie in identities.keys() {
            maps.imported(cookie);
        }
        identities.len()
    }
}

fn in_namespace(
    link: &LinkedIterator,
    namespace: &Namespace,
    row: impl FnMut(&ImportSample) + Send,
) -> Result<(), IteratorError> {
    namespace.enter(|| link.run(row)).unwrap_or_else(|source| Err(IteratorError::Open { name: names::IMPORT, source }))
}
