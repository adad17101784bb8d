//! Two iterators over recorded sockets, of which the daemon runs a pass now and then; nothing depends on when.
//!
//! * `ma_promote` visits the marked ones: pairs candidates and promotes those that gain. Often, since they are few: a candidate
//!   that it does not promote within seconds is left to the review.
//! * `ma_review` visits all: does the same, and takes back what must leave. It writes a [`PassRow`] a socket, from which
//!   the daemon knows how many there are. Rarely, and when something has changed.

use crate::counters;
use crate::demote;
use crate::iterator::StorageIterator;
use crate::lesson;
use crate::maps::{address, ma_ends, ma_sockets, offset};
use crate::pair;
use crate::record::{account, find, is_marked, is_no_gain, mark, policy_in, refresh, unmark};
use crate::rescue;
use crate::socket::{Other, Own};
use crate::switch::is_off;
use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_map_update_elem, bpf_seq_write};
use meshaccel_abi::connection::{
    MARKED, PASS_PAIRED, PEER_UNKNOWN, SIDE_SIDECAR, STATE_CANDIDATE, STATE_LEAVING, STATE_PROMOTED_EARLY,
    STATE_PROMOTED_LATE,
};
use meshaccel_abi::policy::{ANY_PAIR, EAGER, ENFORCE, NODE_SWITCH, OBSERVE, RETIRE};
use meshaccel_abi::{Connection, Event, PassRow, Policy, Reason, RescueRow};
use meshaccel_decide::attention;
use meshaccel_decide::demands;
use meshaccel_decide::evidence::{Evidence, READ_FIRST, worth};
use meshaccel_decide::gain::back_at;
use meshaccel_decide::lesson::goes_by_others;
use meshaccel_decide::side::side;

/// How long an eagerly promoted active end may wait for its peer, and how long nobody may redirect to a socket before
/// it leaves: 1 s. A verdict that was given before is carried out within microseconds; a second is generous.
const GRACE: u64 = 1_000_000_000;

/// How long a reader that works may leave bytes unread on a busy machine: half a second. One that does not know of them
/// waits for so long, and for the grace period, before it is woken.
const READS_WITHIN: u64 = 500_000_000;

#[unsafe(link_section = "iter/bpf_sk_storage_map")]
#[unsafe(no_mangle)]
pub fn ma_promote(ctx: *mut StorageIterator) -> u32 {
    let Some((own, since)) = StorageIterator::marked(ctx) else { return 0 };
    let Some(connection) = find(own.pointer()) else { return 0 };
    if visit(own, connection).is_none() {
        unmark(own.pointer());
        return 0;
    }
    let row = rescue::visit(connection).or(rescue::to_wake(connection));
    if row.is_none() && connection.state == STATE_CANDIDATE && is_over(connection, since) {
        connection.segments_seen = segments(own);
        unmark(own.pointer());
    }
    let still_marked = || is_marked(own.pointer()).then_some(RescueRow { netns_cookie: MARKED });
    if let Some(row) = row.or_else(still_marked) {
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
    judge(own, connection);
    let before = connection.reason;
    if let Some(policy) = visit(own, connection) {
        account(connection);
        if rescue::is_due(connection) {
            rescue::hold(own.pointer(), connection);
        } else if connection.state == STATE_CANDIDATE
            && attention::is_due(policy.flags & EAGER != 0, own.segments_in(), own.segments_out())
            && (connection.segments_seen != segments(own) || connection.reason != before)
            && !is_marked(own.pointer())
        {
            mark(own.pointer());
        }
    }
    let paired = if connection.peer_state == PEER_UNKNOWN { 0 } else { PASS_PAIRED };
    let state = connection.state as u8 | paired;
    let row = PassRow { slot: connection.slot as u16, state, reason: connection.reason as u8 };
    // SAFETY: a row on the stack.
    unsafe { bpf_seq_write(StorageIterator::file(ctx), (&raw const row).cast(), size_of::<PassRow>() as u32) };
    0
}

/// Has it been visited for long enough in vain?
#[inline(always)]
fn is_over(connection: &Connection, since: u64) -> bool {
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    attention::is_over(now, since, connection.left_at, connection.leaves)
}

/// Data segments both ways.
#[inline(always)]
fn segments(own: Own) -> u32 {
    own.segments_in().wrapping_add(own.segments_out())
}

#[inline(always)]
fn visit(own: Own, connection: &mut Connection) -> Option<&'static Policy> {
    refresh(connection);
    // Without a policy its pod's slot has been freed, which happens only when the pod's network namespace is gone or
    // after everything in it was retired.
    let policy = policy_in(connection.slot, connection.key.netns_cookie)?;
    if let Some(reason) = forbidden(connection, policy)
        && connection.no_gain == 0
    {
        // Its messages pass from now on, and its reader goes the way of those that gain nothing; both ends do so.
        connection.no_gain = reason as u32;
        rescue::hold(own.pointer(), connection);
    }
    match connection.state {
        STATE_CANDIDATE => candidate(own, connection, policy),
        STATE_PROMOTED_EARLY | STATE_PROMOTED_LATE if policy.flags & RETIRE != 0 => leave(own, connection),
        STATE_PROMOTED_EARLY | STATE_PROMOTED_LATE if is_alone(connection, policy) => {
            begin_leaving(connection, Reason::PeerNotPromoted);
            mark(own.pointer());
        }
        STATE_PROMOTED_EARLY | STATE_PROMOTED_LATE if connection.unread_since != 0 => entered_unread(own, connection),
        STATE_LEAVING => leaving(own, connection),
        // Of an end whose peer is not known yet, the next pass will see whether it came.
        _ if connection.sender_passed == 0 && connection.held_since == 0 && connection.peer_state != PEER_UNKNOWN => {
            unmark(own.pointer())
        }
        _ => {}
    }
    Some(policy)
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
    // Whoever uninstalls has switched the node off, and takes sockets out while a daemon may still run passes.
    if is_off(NODE_SWITCH) {
        return Err(Reason::SwitchedOff);
    }
    let Some(record) = ma_ends.get_ptr_mut(connection.id) else { return Err(Reason::NotRecorded) };
    // SAFETY: readable while the program runs (RCU).
    let left_for = unsafe { (*record).left_for };
    // The same question at both ends, so that they enter together: one that is there alone gains nothing. It comes early, since
    // most connections of most nodes are quiet, and all are reviewed.
    if own.segments_in() < READ_FIRST || own.segments_out() < READ_FIRST {
        return Err(Reason::Candidate);
    }
    both_take_it(own, connection)?;
    // It has been there in vain: this time the peer goes first.
    if left_for == Reason::PeerNotPromoted as u32 && peer.state == STATE_CANDIDATE {
        return Err(Reason::PeerNotPromoted);
    }
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let no_gain = is_no_gain(left_for);
    if no_gain {
        if connection.based == 0 {
            count_from_now(own, connection);
        }
        if now < back_at(connection.left_at, connection.leaves) {
            return Err(Reason::from_number(left_for).unwrap_or(Reason::Backlogged));
        }
    }
    let age = now.wrapping_sub(connection.recorded_at);
    let no_gain_before = goes_by_others(connection.leaves, age) && lesson::no_gain_before(connection);
    if policy.flags & EAGER == 0 || no_gain || no_gain_before {
        weigh(own, connection, policy, no_gain_before)?;
    }
    // What waits there, an application that has left it for later may never learn of: see `rescue.rs`. A stream to a
    // sidecar has always some, and its reader always reads on.
    if application_reads(connection.side, policy) && unread(own) {
        return Err(Reason::OrderBarrier);
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
    connection.passed_at = connection.promoted_at;
    connection.state = STATE_PROMOTED_LATE;
    connection.reason = Reason::ReaderNotSeen as u32;
    // SAFETY: this end's own record, which only this program writes once it is recorded. Volatile keeps the order.
    unsafe {
        core::ptr::write_volatile(&raw mut (*record).left_for, 0);
        core::ptr::write_volatile(&raw mut (*record).copied_at_promotion, connection.copied_at_promotion);
        core::ptr::write_volatile(&raw mut (*record).state, STATE_PROMOTED_LATE);
    }
    // Or they came since. From now on each message that TCP takes is known to its sender.
    connection.unread_since = if unread(own) { connection.promoted_at } else { 0 };
    connection.copied_seen = connection.copied_at_promotion;
    counters::event(Event::PromotedLate);
    lesson::gained(connection);
    Ok(())
}

#[inline(always)]
fn unread(own: Own) -> bool {
    Other(own.address()).unread() != Some(0)
}

#[inline(always)]
fn weigh(own: Own, connection: &mut Connection, policy: &Policy, no_gain_before: bool) -> Result<(), Reason> {
    let worth = worth(&Evidence {
        segments_in: own.segments_in().wrapping_sub(connection.base_segments_in),
        segments_out: own.segments_out().wrapping_sub(connection.base_segments_out),
        bytes_in: own.bytes_received().wrapping_sub(connection.base_bytes_in),
        bytes_out: own.bytes_acked().wrapping_sub(connection.base_bytes_out),
        application_reads: application_reads(connection.side, policy),
        peer_application_reads: application_reads(connection.peer_side, policy),
        no_gain_before,
    });
    if worth == Err(Reason::OneWay) {
        // Should it begin to go both ways, what came before must not count against it.
        count_from_now(own, connection);
    }
    worth
}

/// Is this end read by an application, as far as anybody knows?
#[inline(always)]
fn application_reads(side: u32, policy: &Policy) -> bool {
    side != SIDE_SIDECAR && policy.flags & ANY_PAIR == 0
}

#[inline(always)]
fn count_from_now(own: Own, connection: &mut Connection) {
    connection.base_segments_in = own.segments_in();
    connection.base_segments_out = own.segments_out();
    connection.base_bytes_in = own.bytes_received();
    connection.base_bytes_out = own.bytes_acked();
    connection.based = 1;
}

/// Both ends read in a way that the redirected queue serves. A blocking receive call on a socket in a SOCKHASH, for one,
/// waits once: a wake-up without bytes (a signal, write space, the acknowledgement of its own FIN) ends it with EAGAIN
/// (tcp_bpf_recvmsg, all kernels so far), which no program expects. So both descriptors must be non-blocking, as those of
/// every sidecar and event loop are.
#[inline(always)]
fn both_take_it(own: Own, connection: &Connection) -> Result<(), Reason> {
    if own.zero_copy() {
        return Err(Reason::SenderFlags);
    }
    for end in [Other(own.address()), Other(connection.peer_socket)] {
        let reading = end.reading(end.file()).ok_or(Reason::PeerUnreadable)?;
        demands::reader(&reading, offset!(blocking_waits) != 0)?;
    }
    Ok(())
}

/// Policy may have been edited since the socket was recorded: whose end it is follows from ports and users that policy names.
#[inline(always)]
fn judge(own: Own, connection: &mut Connection) {
    let Some(policy) = policy_in(connection.slot, connection.key.netns_cookie) else { return };
    let now = side(policy, &connection.key.local, &connection.key.remote, own.uid());
    if now == connection.side {
        return;
    }
    connection.side = now;
    if let Some(record) = ma_ends.get_ptr_mut(connection.id) {
        // SAFETY: this end's own record; readable while the program runs (RCU).
        unsafe { core::ptr::write_volatile(&raw mut (*record).side, now) };
    }
}

/// Why policy would not pair a promoted socket with its peer today. What it said at an earlier time both have written down.
#[inline(always)]
fn forbidden(connection: &Connection, policy: &Policy) -> Option<Reason> {
    let promoted = matches!(connection.state, STATE_PROMOTED_EARLY | STATE_PROMOTED_LATE);
    if !promoted || policy.flags & RETIRE != 0 {
        return None;
    }
    match pair::find(connection, policy.flags) {
        Err(reason @ (Reason::ExcludedPort | Reason::NotAppToSidecar | Reason::OtherPod)) => Some(reason),
        _ => None,
    }
}

/// An end to which nobody redirects (an eagerly promoted one that nobody pairs with, one whose peer has closed or has left)
/// costs at every send and gains nothing.
#[inline(always)]
fn is_alone(connection: &Connection, policy: &Policy) -> bool {
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let late = now.wrapping_sub(connection.promoted_at) >= GRACE;
    match pair::find(connection, policy.flags) {
        // One that gained nothing stays out for a while; any other may be about to come.
        Ok(peer) => peer.state == STATE_CANDIDATE && (late || is_no_gain(peer.left_for)),
        Err(_) => late,
    }
}

/// It had unread bytes in its TCP queue when it entered, which no sender knows of. When it has not read on for a while
/// though nothing else waits for it, it leaves.
#[inline(always)]
fn entered_unread(own: Own, connection: &mut Connection) {
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
fn begin_leaving(connection: &mut Connection, reason: Reason) {
    if let Some(record) = ma_ends.get_ptr_mut(connection.id) {
        // SAFETY: as above.
        unsafe {
            core::ptr::write_volatile(&raw mut (*record).left_for, reason as u32);
            core::ptr::write_volatile(&raw mut (*record).leaving_since, bpf_ktime_get_ns());
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
fn leave(own: Own, connection: &mut Connection) {
    if own.redirected_queue_empty() == Some(true) {
        demote::own(connection);
        mark(own.pointer());
    }
}
