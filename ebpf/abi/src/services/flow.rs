//! What is kept of a socket that was translated.

use bytemuck::{Pod, Zeroable};

use crate::services::{Backend, Vip};

/// Services that one socket, unconnected, can send to at once.
pub const SENDS: usize = 8;

/// A VIP that a socket used, and the endpoint that it went to.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Flow {
    /// What the application named.
    pub vip: Vip,
    /// Where that went.
    pub backend: Backend,
    /// Index of the Service.
    pub service: u32,
    /// Number of the set that the endpoint was chosen from; 0: unused.
    pub set: u32,
    /// CLOCK_MONOTONIC in ns of the last datagram; of a connected socket, of its connect().
    pub used_at: u64,
}

/// Socket storage: it lives and dies with its socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Flows {
    /// What it is connected to.
    pub connected: Flow,
    /// What it sent to while it was not, or named all the same.
    pub sends: [Flow; SENDS],
}

/// A socket that is connected through a VIP, by its cookie: so that it is found when its endpoint goes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Record {
    /// Cookie of its network namespace.
    pub netns_cookie: u64,
    /// CLOCK_MONOTONIC in ns of its connect().
    pub connected_at: u64,
    /// What the application named.
    pub vip: Vip,
    /// Where it is connected to.
    pub backend: Backend,
}
