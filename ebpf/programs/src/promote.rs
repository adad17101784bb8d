//! Two iterators over recorded sockets, of which the daemon runs a pass now and then; nothing depends on when.
//!
//! * `ma_promote` visits the marked ones: pairs candidates and promotes those that gain. Often, since they are few.
//! * `ma_review` visits all: does the same, and takes back what must leave. It writes a [`PassRow`] a socket, from which
//!   the daemon knows how many there are. Rarely, and when something has changed.

use crate::counters;
use crate::iterator::StorageIterator;
use crate::maps::{address, ma_ends, ma_sockets};
use crate::pair;
use crate::record::{find, mark, policy_in, refresh, to_candidate, unmark};
use crate::rescue;
use crate::socket::{Other, Own};
use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_map_delete_elem, bpf_map_update_elem, bpf_seq_write};
use meshaccel_abi::connection::{
    PASS_PAIRED, PEER_UNKNOWN, SIDE_SIDECAR, STATE_CANDIDATE, STATE_LEAVING, STATE_PROMOTED_EARLY, STATE_PROMOTED_LATE,
};
use meshaccel_abi::policy::{ANY_PAIR, EAGER, ENFORCE, OBSERVE, RETIRE};
use meshaccel_abi::{Connection, Event, PassRow, Policy, Reason, RescueRow};
use meshaccel_decide::evidence::{Evidence, worth};

/// How long an eagerly promoted active end may wait for its peer, and how long nobody may redirect to a socket before
/// it leaves: 1 s. A verdict that was given before is carried out within microseconds; a second is generous.
const GRACE: u64 = 1_000_000_000;

#[unsafe(link_section = "iter/bpf_sk_storage_map")]
#[unsafe(no_mangle)]
pub fn ma_promote(ctx: *mut StorageIterator) -> u32 {
    let Some(own) = StorageIterator::socket(ctx) else { return 0 };
    let Some(connection) = find(own.pointer()) else { return 0 };
    visit(own, connection);
    if let Some(row) = rescue::visit(connection) {
        // SAFETY: a row on the stack.
        unsafe {
            bpf_seq_write(StorageIterator::file(ctx), (&raw const row).cast(), size_of::<RescueRow>() as u32);
        }
    }
    0
}

#[unsafe(link_section = "iter/bpf_sk_storage_map")]
#[unsafe(no_mangle)]
pub fn ma_review(ctx: *mut StorageIterator) -> u32 {
    let Some((own, connection)) = StorageIterator::read(ctx) else { return 0 };
    visit(own, connection);
    let paired = if connection.peer_state == PEER_UNKNOWN { 0 } else { PASS_PAIRED };
    let state = connection.state as u8 | paired;
    let row = PassRow { slot: connection.slot as u16, state, reason: connection.reason as u8 };
    // SAFETY: a row on the stack.
    unsafe { bpf_seq_write(StorageIterator::file(ctx), (&raw const row).cast(), size_of::<PassRow>() as u32) };
    0
}

#[inline(always)]
fn visit(own: Own, connection: &mut Connection) {
    refresh(connection);
    let Some(policy) = policy_in(connection.slot, connection.key.netns_cookie) else {
        // Its pod's slot has been freed, which happens only when the pod's network namespace is gone or after
        // everything in it was retired.
        return;
    };
    match connection.state {
        STATE_CANDIDATE => candidate(own, connection, policy),
        STATE_PROMOTED_EARLY | STATE_PROMOTED_LATE if policy.flags & RETIRE != 0 => leave(own, connection),
        STATE_PROMOTED_EARLY | STATE_PROMOTED_LATE if connection.peer_state == PEER_UNKNOWN => {
            unpaired(connection, policy)
        }
        STATE_LEAVING => leaving(own, connection),
        _ if connection.sender_passed == 0 => unmark(own.pointer()),
        _ => {}
    }
}

#[inline(always)]
fn candidate(own: Own, connection: &mut Connection, policy: &Policy) {
    if let Err(reason) = promote(own, connection, policy) {
        connection.reason = reason as u32;
    }
}

#[inline(always)]
fn promote(own: Own, connection: &mut Connection, policy: &Policy) -> Result<(), Reason> {
    let peer = pair::find(connection, policy.flags)?;
    if connection.peer_state == PEER_UNKNOWN {
        pair::write(connection, peer);
        counters::event(Event::Paired);
    }
    if policy.flags & OBSERVE != 0 {
        return Err(Reason::Observing);
    }
    if policy.flags & ENFORCE == 0 {
        return Err(Reason::NotEnforced);
    }
    if let Some(record) = ma_ends.get_ptr(connection.id) {
        // SAFETY: readable while the program runs (RCU).
        if unsafe { (*record).takes_bulk } != 0 {
            return Err(Reason::TakesBulk);
        }
    }
    if policy.flags & ANY_PAIR == 0 {
        applications_never_block(own, connection)?;
    }
    if policy.flags & EAGER == 0 {
        worth(&Evidence {
            segments_in: own.segments_in(),
            segments_out: own.segments_out(),
            bytes_in: own.bytes_received(),
            bytes_out: own.bytes_acked(),
            application_reads: connection.side != SIDE_SIDECAR && policy.flags & ANY_PAIR == 0,
            peer_application_reads: connection.peer_side != SIDE_SIDECAR && policy.flags & ANY_PAIR == 0,
        })?;
    }
    let mut key = connection.key;
    // SAFETY: a key on the stack and a socket pointer that the verifier knows; the value of a SOCKHASH is a socket.
    let result =
        unsafe { bpf_map_update_elem(address(&ma_sockets), (&raw mut key).cast(), own.pointer(), BPF_NOEXIST.into()) };
    if result != 0 {
        return Err(counters::promotion_failed(result));
    }
    // From here on receive calls use the redirected queue. copied_seq is read after that and published last: a call
    // that moves it from now on is either a new one, or the one that was blocked before and returns with these bytes.
    connection.copied_at_promotion = own.copied_sequence();
    // SAFETY: no arguments.
    connection.promoted_at = unsafe { bpf_ktime_get_ns() };
    connection.state = STATE_PROMOTED_LATE;
    connection.reason = Reason::ReaderNotSeen as u32;
    if let Some(record) = ma_ends.get_ptr_mut(connection.id) {
        // SAFETY: this end's own record, which only this program writes once it is recorded. Volatile keeps the order.
        unsafe {
            core::ptr::write_volatile(&raw mut (*record).copied_at_promotion, connection.copied_at_promotion);
            core::ptr::write_volatile(&raw mut (*record).state, STATE_PROMOTED_LATE);
        }
    }
    counters::event(Event::PromotedLate);
    Ok(())
}

/// A blocking receive call on a socket in a SOCKHASH waits once: a wake-up without data (write space, the
/// acknowledgement of its own FIN) ends it with EAGAIN (tcp_bpf_recvmsg, all kernels so far). Behind a sidecar, where nobody
/// said otherwise, an application is promoted only if its descriptor is non-blocking, as that of every event loop is.
#[inline(always)]
fn applications_never_block(own: Own, connection: &Connection) -> Result<(), Reason> {
    let (own, peer) = (Other(own.address()), Other(connection.peer_socket));
    let own_may = connection.side == SIDE_SIDECAR || own.nonblocking() == Some(true);
    let peer_may = connection.peer_side == SIDE_SIDECAR || peer.nonblocking() == Some(true);
    if own_may && peer_may { Ok(()) } else { Err(Reason::BlockingApplication) }
}

/// An end without a peer (an eagerly promoted one that nobody pairs with, or one whose peer has closed) costs at every
/// send and gains nothing: it leaves, in two steps. First
/// nobody may pair with it any more; a grace period later it can go without anything being on its way to it.
#[inline(always)]
fn unpaired(connection: &mut Connection, policy: &Policy) {
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    if now.wrapping_sub(connection.promoted_at) < GRACE || pair::find(connection, policy.flags).is_ok() {
        // The sender's first message writes the pair down; until then it stays marked.
        return;
    }
    if let Some(record) = ma_ends.get_ptr_mut(connection.id) {
        // SAFETY: as above.
        unsafe {
            core::ptr::write_volatile(&raw mut (*record).leaving_since, now);
            core::ptr::write_volatile(&raw mut (*record).state, STATE_LEAVING);
        }
    }
    connection.state = STATE_LEAVING;
}

#[inline(always)]
fn leaving(own: Own, connection: &mut Connection) {
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let since = match ma_ends.get_ptr(connection.id) {
        // SAFETY: readable while the program runs (RCU).
        Some(record) => unsafe { (*record).leaving_since },
        None => 0,
    };
    if now.wrapping_sub(since) >= GRACE {
        leave(own, connection);
    }
}

/// Takes a socket out of the SOCKHASH once its redirected queue is empty: what is queued would be thrown away.
#[inline(always)]
fn leave(own: Own, connection: &mut Connection) {
    if own.redirected_queue_empty() == Some(true) {
        take_out(connection);
        mark(own.pointer());
    }
}

/// Takes a drained socket out of the SOCKHASH; it is a candidate again.
#[inline(always)]
pub fn take_out(connection: &mut Connection) {
    let mut key = connection.key;
    // SAFETY: a key on the stack.
    unsafe { bpf_map_delete_elem(address(&ma_sockets), (&raw mut key).cast()) };
    to_candidate(connection);
    // A sender that still has this end down as ready must not find its next stay by the old key: a thread may by then be
    // blocked in the plain receive call.
    connection.key.generation = connection.key.generation.wrapping_add(1);
    if let Some(record) = ma_ends.get_ptr_mut(connection.id) {
        // SAFETY: this end's own record.
        unsafe {
            core::ptr::write_volatile(&raw mut (*record).state, STATE_CANDIDATE);
            core::ptr::write_volatile(&raw mut (*record).key.generation, connection.key.generation);
        }
    }
    counters::event(Event::Retired);
}
