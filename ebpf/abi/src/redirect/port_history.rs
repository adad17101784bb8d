//! What is learnt of the connections of a port, so that the next one starts right.

use bytemuck::{Pod, Zeroable};

/// Ports whose history is kept at once; the oldest give way.
pub const MAX_HISTORIES: u32 = 8192;

/// A port of a pod: the service's port as this end sees it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct PortKey {
    /// Network namespace of the pod.
    pub netns_cookie: u64,
    /// Remote port of an active end, local port of a passive one.
    pub port: u16,
    /// [`crate::redirect::Role`] of this end.
    pub role: u16,
    /// Always zero.
    pub zero: u32,
}

/// What was learnt.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct PortHistory {
    /// Recorded connections in a row that ended without ever having been promoted.
    pub short_lived: u32,
    /// Connections that were promoted and left because that was no gain.
    pub no_gain: u32,
}
