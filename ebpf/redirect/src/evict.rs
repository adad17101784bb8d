//! Taking a socket out of the SOCKHASH. What is in its redirected queue would be thrown away, and a sender whose message is
//! on its way would be told EPIPE; so callers have gone by `meshaccel_decide::redirect::leaving`.

use core::ptr::write_volatile;

use aya_ebpf::helpers::generated::bpf_map_delete_elem;
use meshaccel_abi::redirect::connection::STATE_CANDIDATE;
use meshaccel_abi::redirect::{Connection, EndId, EndRecord, Event, SocketKey};

use crate::counters;
use crate::maps::{address, ma_ends, ma_sockets};
use crate::record::{left, mark_end, to_candidate};

/// The socket that the running program visits; it is a candidate again.
#[inline(always)]
pub fn own(connection: &mut Connection) {
    to_candidate(connection);
    let left_for = remove(connection.id, connection.key).map_or(0, asked);
    if left_for != 0 {
        left(connection, left_for);
    }
    connection.key.generation = connection.key.generation.wrapping_add(1);
    counters::event(Event::Retired);
}

/// One whose key user space has removed. Its storage learns of it when somebody looks at it (`record::refresh`).
#[inline(always)]
pub fn removed(id: EndId, key: SocketKey) {
    if let Some(record) = told(id, key) {
        asked(record);
        counters::event(Event::Retired);
        // When it may come back is for the next scan to say.
        mark_end(&key, id);
    }
}

/// Why it was to leave, which is done.
#[inline(always)]
fn asked(record: *mut EndRecord) -> u32 {
    // SAFETY: this end's own record.
    unsafe {
        let wanted = core::mem::replace(&mut (*record).wanted, 0);
        (*record).left_for = wanted;
        wanted
    }
}

/// Takes it out.
#[inline(always)]
pub fn remove(id: EndId, mut key: SocketKey) -> Option<*mut EndRecord> {
    // SAFETY: a key on the stack.
    unsafe { bpf_map_delete_elem(address(&ma_sockets), (&raw mut key).cast()) };
    told(id, key)
}

/// A sender that still has this end down as ready must not find its next stay by the old key, since a thread may by then
/// be blocked in the plain receive call: the next stay is another generation.
#[inline(always)]
fn told(id: EndId, key: SocketKey) -> Option<*mut EndRecord> {
    let record = ma_ends.get_ptr_mut(id)?;
    // SAFETY: the value stays readable while the program runs (RCU).
    unsafe {
        write_volatile(&raw mut (*record).state, STATE_CANDIDATE);
        write_volatile(&raw mut (*record).key.generation, key.generation.wrapping_add(1));
    }
    Some(record)
}
