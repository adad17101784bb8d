//! Taking a socket out of the SOCKHASH. What is in its redirected queue would be thrown away, and a sender whose message is
//! on its way would be told EPIPE; so callers have gone by `meshaccel_decide::leaving`.

use crate::counters;
use crate::maps::{address, ma_ends, ma_sockets};
use crate::record::{left, to_candidate};
use aya_ebpf::helpers::generated::bpf_map_delete_elem;
use core::ptr::write_volatile;
use meshaccel_abi::connection::STATE_CANDIDATE;
use meshaccel_abi::{Connection, EndId, EndRecord, Event, SocketKey};

/// The socket that the running program visits; it is a candidate again.
#[inline(always)]
pub fn own(connection: &mut Connection) {
    to_candidate(connection);
    if let Some(record) = remove(connection.id, connection.key) {
        // SAFETY: this end's own record.
        let left_for = unsafe {
            let wanted = core::mem::replace(&mut (*record).wanted, 0);
            (*record).left_for = wanted;
            wanted
        };
        if left_for != 0 {
            left(connection, left_for);
        }
    }
    connection.key.generation = connection.key.generation.wrapping_add(1);
    counters::event(Event::Retired);
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
