//! What the daemon tells the programs about a pod, and the run-time switches.

use bytemuck::{Pod, Zeroable};

/// Pods of one node that can be selected at once (the kubelet's own limit is 110 by default, 250 on large nodes).
pub const MAX_PODS: u32 = 1024;
/// Index of the node-wide switch; the switch of slot `n` is at `POD_SWITCHES + n`.
pub const NODE_SWITCH: u32 = 0;
/// Index of slot 0's switch.
pub const POD_SWITCHES: u32 = 1;
/// Switch value: on. Any other value is the CLOCK_MONOTONIC time in ns until which it is off.
pub const SWITCH_ON: u64 = 0;
/// Switch value: off until somebody switches it on.
pub const SWITCH_OFF: u64 = u64::MAX;

/// Messages of this pod may be redirected.
pub const ENFORCE: u32 = 1;
/// Sockets are promoted at ESTABLISHED, without evidence.
pub const EAGER: u32 = 1 << 1;
/// Connections to other pods of this node may be redirected.
pub const NODE_LOCAL: u32 = 1 << 2;
/// Every pair is accelerated, whoever its ends are.
pub const ANY_PAIR: u32 = 1 << 3;
/// Drained sockets leave the SOCKHASH. Set only a grace period after [`ENFORCE`] went.
pub const RETIRE: u32 = 1 << 4;
/// Count what would be redirected and touch nothing.
pub const OBSERVE: u32 = 1 << 5;
/// The sidecar is one that neither splices nor asks how many bytes wait nor makes descriptors blocking (Envoy, linkerd-proxy).
pub const KNOWN_PROXY: u32 = 1 << 6;

/// No uid.
pub const NO_UID: u32 = u32::MAX;

/// Policy of one pod.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Policy {
    /// Whose policy this is; 0 when the slot is free. A socket that carries another cookie belonged to an earlier pod
    /// of the slot and is left alone.
    pub netns_cookie: u64,
    /// `ENFORCE`, `EAGER`, ...
    pub flags: u32,
    /// Bytes that may wait, redirected and unread, at one socket.
    pub max_bytes: u32,
    /// Messages that may wait, redirected and unread, at one socket.
    pub max_messages: u32,
    /// Uids of the sidecar; [`NO_UID`] where unused.
    pub proxy_uids: [u32; 2],
    /// Ports on which the sidecar listens; 0 where unused.
    pub sidecar_ports: [u16; 8],
    /// Ports that are left on TCP at either end; 0 where unused.
    pub excluded_ports: [u16; 16],
    /// Addresses from which the sidecar calls the application; all zero where unused.
    pub loopback_sources: [[u8; 16]; 2],
    /// Always zero.
    pub zero: u32,
    /// A message takes TCP at least this often, in ns: a quarter of the smallest conntrack time-out on the way.
    pub keep_alive: u64,
    /// The same once one direction has sent its FIN: other time-outs count then, and they are shorter.
    pub keep_alive_half_closed: u64,
}

impl Policy {
    /// A free slot.
    pub const fn free() -> Self {
        Self {
            netns_cookie: 0,
            flags: 0,
            max_bytes: 0,
            max_messages: 0,
            proxy_uids: [NO_UID; 2],
            sidecar_ports: [0; 8],
            excluded_ports: [0; 16],
            loopback_sources: [[0; 16]; 2],
            zero: 0,
            keep_alive: 0,
            keep_alive_half_closed: 0,
        }
    }
}

/// A selected pod, found by netns cookie. Programs read only `slot`; the name is for people, also when no daemon runs.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct PodEntry {
    /// Index into the policies.
    pub slot: u32,
    /// Always zero.
    pub zero: u32,
    /// Namespace, padded with zeros (RFC 1123 label: at most 63 bytes).
    pub namespace: [u8; 64],
    /// Name, padded with zeros (RFC 1123 subdomain: at most 253 bytes).
    pub name: [u8; 256],
}
