//! Services: one entry for each port of one, with the set of its endpoints.

use bytemuck::{Pod, Zeroable};

use crate::services::Backend;

/// Packets to it are dropped when the set is empty, not refused: a traffic policy is `Local`, and endpoints are elsewhere.
pub const DROPS: u32 = 1;

/// Which [`Service`] a VIP belongs to.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct ServiceIndex {
    /// Index into the Services.
    pub index: u32,
    /// 1: of the node itself alone, and of no pod (127.0.0.1 is another one there).
    pub node_only: u32,
}

/// A port of a Service, as seen from a kind of its addresses (a traffic policy may apply to some of them alone). The daemon writes it in
/// place, word by word, through a mapping of the array: each word is seen whole.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Service {
    /// The number of its set of endpoints in the upper half, how many there are in the lower one.
    pub choice: u64,
    /// `sessionAffinityConfig.clientIP.timeoutSeconds` in the upper half (0: no affinity), [`DROPS`] in the lower one.
    pub settings: u64,
}

impl Service {
    /// Of a set with so many endpoints.
    #[must_use]
    pub const fn new(set: u32, count: u32, affinity_seconds: u32, flags: u32) -> Self {
        Self { choice: pair(set, count), settings: pair(affinity_seconds, flags) }
    }
}

/// The upper and the lower half.
#[inline(always)]
#[must_use]
pub const fn halves(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

const fn pair(upper: u32, lower: u32) -> u64 {
    (upper as u64) << 32 | lower as u64
}

/// One endpoint of a set: slots are 0 to the number of them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct SetSlot {
    /// Number of the set, never used again.
    pub set: u32,
    /// Place in the set.
    pub slot: u32,
}

/// Says that an endpoint is in a set: kept for Services with affinity, and for UDP.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct Member {
    /// Number of the set.
    pub set: u32,
    /// The endpoint.
    pub backend: Backend,
}

/// A client of a Service with affinity. Whoever shares an address shares a network namespace: the containers of a pod, and all that is
/// in the node's own.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct AffinityKey {
    /// Cookie of the network namespace.
    pub netns_cookie: u64,
    /// Index of the Service.
    pub service: u32,
    /// Always zero.
    pub zero: u32,
}

/// Where it went last.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Affinity {
    /// CLOCK_MONOTONIC in ns of its last connection.
    pub used_at: u64,
    /// The endpoint.
    pub backend: Backend,
    /// Always zero.
    pub zero: u32,
}
