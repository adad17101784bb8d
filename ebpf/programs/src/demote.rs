//! Taking a socket out of the SOCKHASH. What is in its redirected queue would be thrown away, and a sender whose message is
//! on its way would be told EPIPE; so callers have made sure that for a grace period nobody could redirect to it, and that
//! the queue is empty.

use crate::counters;
use crate::maps::{address, ma_ends, ma_sockets};
use crate::record::{left, to_candidate};
use aya_ebpf::helpers::generated::bpf_map_delete_elem;
use core::ptr::write_volatile;
use meshaccel_abi::connection::STATE_CANDIDATE;
use meshaccel_abi::{Connection, EndId, EndRecord, Event, Reason, SocketKey};

/// The socket that the running program visits; it is a candidate again. Its reader may have been told that nothing was there
/// while bytes waited in the TCP queue, and must be woken.
#[inline(always)]
pub fn own(connection: &mut Connection) {
    to_candidate(connection);
    if let Some(record) = remove(connection.id, connection.key) {
        // SAFETY: this end's own record.
        let left_for = unsafe {
            (*record).kick = 1;
            (*record).left_for
        };
        if left_for != 0 {
            left(connection, left_for);
        }
    }
    connection.key.generation = connection.key.generation.wrapping_add(1);
    counters::event(Event::Retired);
}

/// The reader that a sender talks to, whose own storage is out of reach: its record says why, and that it must be woken.
#[inline(always)]
pub fn peer(id: EndId, key: SocketKey, reason: Reason) {
    if let Some(record) = remove(id, key) {
        // SAFETY: the peer's record; its own programs do not run while it is out of the SOCKHASH.
        unsafe {
            (*record).left_for = reason as u32;
            (*record).kick = 1;
        }
    }
    counters::event(Event::Rescued);
}

/// A sender that still has this end down as ready must not find its next stay by the old key, since a thread may by then
/// be blocked in the plain receive call: the next stay is another generation.
#[inline(always)]
pub fn remove(id: EndId, mut key: SocketKey) -> Option<*mut EndRecord> {
    // SAFETY: a key on the stack.
    unsafe { bpf_map_delete_elem(address(&ma_sockets), (&raw mut key).cast()) };
    let record = ma_ends.get_ptr_mut(id)?;
    // SAFETY: the value stays readable while the program runs (RCU).
    unsafe {
        write_volatile(&raw mut (*record).state, STATE_CANDIDATE);
        write_volatile(&raw mut (*record).key.generation, key.generation.wrapping_add(1));
    }
    Some(record)
}
