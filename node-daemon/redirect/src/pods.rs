//! Pods as the maps hold them.

use meshaccel_model::{NetnsCookie, PodName};

/// Slot of a pod in the policies and switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Slot(pub u32);

/// A pod as the maps hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedPod {
    /// Its network namespace.
    pub cookie: NetnsCookie,
    /// Its slot.
    pub slot: Slot,
    /// Its namespace and name.
    pub pod: PodName,
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
