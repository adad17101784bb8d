//! A promoted socket leaves the SOCKHASH: because policy forbids it by now, it is alone there, or its reader does not read.

use crate::demote;
use crate::maps::ma_ends;
use crate::pair;
use crate::promote::unread;
use crate::record::{is_no_gain, mark};
use crate::rescue;
use crate::socket::Own;
use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use meshaccel_abi::connection::{STATE_CANDIDATE, STATE_LEAVING, STATE_PROMOTED_EARLY, STATE_PROMOTED_LATE};
use meshaccel_abi::policy::RETIRE;
use meshaccel_abi::{Connection, Policy, Reason};

/// How long an eagerly promoted active end may wait for its peer, and how long nobody may redirect to a socket before
/// it leaves: 1 s. A verdict that was given before is carried out within microseconds; a second is generous.
const GRACE: u64 = 1_000_000_000;

/// How long a reader that works may leave bytes unread on a busy machine: half a second. One that does not know of them
/// waits for so long, and for the grace period, before it is woken.
const READS_WITHIN: u64 = 500_000_000;

/// Why policy would not pair a promoted socket with its peer today. What it said at an earlier time both have written down.
#[inline(always)]
pub fn forbidden(connection: &Connection, policy: &Policy, peer: &pair::Found) -> Option<Reason> {
    let promoted = matches!(connection.state, STATE_PROMOTED_EARLY | STATE_PROMOTED_LATE);
    if !promoted || policy.flags & RETIRE != 0 {
        return None;
    }
    match *peer {
        Err(reason @ (Reason::ExcludedPort | Reason::NotAppToSidecar | Reason::OtherPod)) => Some(reason),
        _ => None,
    }
}

/// An end to which nobody redirects (an eagerly promoted one that nobody pairs with, one whose peer has closed or has left)
/// costs at every send and gains nothing.
#[inline(always)]
pub fn is_alone(connection: &Connection, peer: &pair::Found) -> bool {
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let late = now.wrapping_sub(connection.promoted_at) >= GRACE;
    match peer {
        // One that gained nothing stays out for a while; any other may be about to come.
        Ok(peer) => peer.state == STATE_CANDIDATE && (late || is_no_gain(peer.left_for)),
        Err(_) => late,
    }
}

/// It had unread bytes in its TCP queue when it entered, which no sender knows of. When it has not read on for a while
/// though nothing else waits for it, it leaves.
#[inline(always)]
pub fn entered_unread(own: Own, connection: &mut Connection) {
    let copied = own.copied_sequence();
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    if !unread(own) {
        connection.unread_since = 0;
    } else if copied != connection.copied_seen {
        connection.copied_seen = copied;
        connection.unread_since = now;
    }
    let waits = connection.unread_since != 0 && now.wrapping_sub(connection.unread_since) >= READS_WITHIN;
    if waits && own.redirected_queue_empty() == Some(true) {
        begin_leaving(connection, Reason::TakesBulk);
    }
}

/// It leaves in two steps. First nobody may redirect to it any more; a grace period later it can go without anything being
/// on its way to it.
#[inline(always)]
pub fn begin_leaving(connection: &mut Connection, reason: Reason) {
    if let Some(record) = ma_ends.get_ptr_mut(connection.id) {
        // SAFETY: this end's own record; readable while the program runs (RCU).
        unsafe {
            core::ptr::write_volatile(&raw mut (*record).left_for, reason as u32);
            core::ptr::write_volatile(&raw mut (*record).leaving_since, bpf_ktime_get_ns());
            core::ptr::write_volatile(&raw mut (*record).state, STATE_LEAVING);
        }
    }
    connection.state = STATE_LEAVING;
}

#[inline(always)]
pub fn leaving(own: Own, connection: &mut Connection) {
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let since = match ma_ends.get_ptr(connection.id) {
        // SAFETY: readable while the program runs (RCU).
        Some(record) => unsafe { (*record).leaving_since },
        None => 0,
    };
    // An end that is not in the SOCKHASH redirects nothing; what it did before has long come.
    let out = match ma_ends.get_ptr(connection.id.peer()) {
        // SAFETY: as above.
        Some(record) => unsafe { (*record).state == STATE_CANDIDATE },
        None => true,
    };
    if now.wrapping_sub(since) >= if out { rescue::GRACE } else { GRACE } {
        leave(own, connection);
    }
}

/// Takes a socket out of the SOCKHASH once its redirected queue is empty: what is queued would be thrown away.
#[inline(always)]
pub fn leave(own: Own, connection: &mut Connection) {
    if own.redirected_queue_empty() == Some(true) {
        demote::own(connection);
        mark(connection);
    }
}
