//! What user space and the visiting programs (`ma_visit`, `ma_leave`) say to each other.
//!
//! User space runs them for one end at a time, with BPF_PROG_TEST_RUN: the words of [`Visit`] go in by the `cb` of their
//! `__sk_buff`, and what became of it is the program's return value.

use crate::redirect::key::EndId;
use bytemuck::{Pod, Zeroable};

/// Words of `cb`: the end, then [`SCAN`] or another purpose, then the generation of its key, which `ma_leave` asks for.
pub type Visit = [u32; 5];

/// Pairs and promotes.
pub const SCAN: u32 = 0;
/// Does the same, and finds what must leave.
pub const RESYNC: u32 = 1;
/// Takes out what is to leave; by `ma_leave` as far as [`LEFT`].
pub const LEAVE: u32 = 2;
/// Says that the calls that receive are gated.
pub const GATED: u32 = 3;
/// Removes its record, should it be gone.
pub const SWEEP: u32 = 4;
/// After [`LEFT`]: its key is removed.
pub const REMOVED: u32 = 5;

/// The words for one end.
pub const fn visit(id: &EndId, purpose: u32, generation: u32) -> Visit {
    [id.client_sequence, id.server_sequence, id.role, purpose, generation]
}

/// There is nothing more to do.
pub const DONE: u32 = 0;
/// It is to be visited again in a while.
pub const DIRTY: u32 = 1;
/// It is to leave, and could not yet: it is to be visited again soon.
pub const PENDING: u32 = 2;
/// The same of one whose receive calls had better be gated meanwhile.
pub const PENDING_GATE: u32 = 4;
/// It was taken out with bytes waiting in its TCP queue, of which its reader may not know: it must be woken.
pub const WAKE: u32 = 3;
/// There is no such socket (any more); the record of it is removed.
pub const GONE: u32 = 5;
/// It is there, and cannot be reached from this network namespace: not a promoted one, and not one of this namespace; or one
/// that is bound to a device.
pub const OUT_OF_REACH: u32 = 6;

/// The outcome is in the low byte of the return value; beside it stand these.
pub const OUTCOME: u32 = 0xff;
/// The socket is in the SOCKHASH.
pub const IS_PROMOTED: u32 = 0x100;
/// Its peer is known.
pub const IS_PAIRED: u32 = 0x200;
/// Nothing is on its way to it, nor will be, and its queue is empty: user space is to remove its key, since the program may not,
/// and then to say so.
pub const LEFT: u32 = 0x400;

/// What a scan writes for each recorded socket: see [`crate::redirect::names::SCANS`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Scanned {
    /// The end that the socket is.
    pub id: EndId,
    /// As the return value of a visit.
    pub outcome: u32,
}

/// Value of the dirty set: what the next scan visits, by socket cookie.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct SocketMark {
    /// When it became dirty, in ns of CLOCK_MONOTONIC.
    pub since: u64,
    /// Network namespace of the socket.
    pub netns_cookie: u64,
    /// The end that the socket is.
    pub id: EndId,
    /// Always zero.
    pub zero: u32,
}
