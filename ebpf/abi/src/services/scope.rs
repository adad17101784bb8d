//! Whose sockets are translated: what the daemon tells the programs about a network namespace.

use bytemuck::{Pod, Zeroable};

/// TCP connections are translated.
pub const TCP: u32 = 1;
/// UDP is translated.
pub const UDP: u32 = 1 << 1;
/// A sidecar takes what applications send by TCP, by the rules below: that keeps its VIP, since the sidecar routes by it.
pub const SIDECAR: u32 = 1 << 2;
/// The sidecar answers DNS: what applications send to port 53 keeps its VIP, by UDP too.
pub const SIDECAR_DNS: u32 = 1 << 3;
/// It takes what goes to the included networks alone.
pub const LISTED_NETWORKS: u32 = 1 << 4;
/// This is the node's own network namespace.
pub const NODE: u32 = 1 << 5;
/// kube-proxy runs beside this: what cannot be told apart here is left to it.
pub const BESIDE_KUBE_PROXY: u32 = 1 << 6;

/// No uid.
pub const NO_UID: u32 = u32::MAX;
/// Networks of a list.
pub const NETWORKS: usize = 8;
/// Ports of a list.
pub const PORTS: usize = 16;

/// Addresses with a common prefix. IPv4 is v4-mapped.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Network {
    /// Four words in network byte order, zero behind the prefix.
    pub address: [u32; 4],
    /// The prefix as a mask, in the same form.
    pub mask: [u32; 4],
    /// 1: this is one. 0: unused.
    pub is_used: u32,
}

/// One network namespace.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Scope {
    /// [`TCP`], [`UDP`], ...
    pub flags: u32,
    /// Uids whose traffic the sidecar leaves alone: its own, and those that the mesh excludes; [`NO_UID`] where unused.
    pub excluded_uids: [u32; 6],
    /// Connections that may be recorded: what a pod may have of the node's table.
    pub quota: u32,
    /// Ports that the sidecar leaves alone, in host byte order; 0 where unused.
    pub excluded_ports: [u16; PORTS],
    /// Ports that it takes whatever the networks say; 0 where unused.
    pub included_ports: [u16; PORTS],
    /// Networks that it leaves alone.
    pub excluded: [Network; NETWORKS],
    /// With [`LISTED_NETWORKS`]: those that it takes.
    pub included: [Network; NETWORKS],
}
