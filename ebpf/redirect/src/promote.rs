//! A candidate enters the SOCKHASH: when its peer is known, policy allows it, both readers take it, and it gains.

use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_map_update_elem};
use meshaccel_abi::redirect::connection::{PEER_UNKNOWN, SIDE_SIDECAR, STATE_CANDIDATE, STATE_PROMOTED_LATE};
use meshaccel_abi::redirect::policy::{ANY_PAIR, EAGER, ENFORCE, NODE_SWITCH, OBSERVE};
use meshaccel_abi::redirect::{Connection, EndId, EndRecord, Event, Policy, Reason, SocketKey};
use meshaccel_decide::redirect::demands;
use meshaccel_decide::redirect::evidence::{Evidence, READ_FIRST, worth};
use meshaccel_decide::redirect::gain::back_at;
use meshaccel_decide::redirect::habits::may_enter;
use meshaccel_decide::redirect::pairing::{Stay, peer_goes_first};
use meshaccel_decide::redirect::port_history::goes_by_others;

use crate::barrier::barrier;
use crate::leaving::want;
use crate::maps::{address, ma_ends, ma_sockets, offset};
use crate::record::{is_no_gain, mark_end};
use crate::socket::{Other, Own};
use crate::switch::is_off;
use crate::{counters, habits, pair, port_history};

#[inline(always)]
pub fn candidate(own: Own, connection: &mut Connection, policy: &Policy, peer: pair::Found) {
    if let Err(reason) = peer.and_then(|peer| promote(own, connection, policy, peer)) {
        connection.reason = reason as u32;
    }
}

#[inline(always)]
fn promote(own: Own, connection: &mut Connection, policy: &Policy, peer: &EndRecord) -> Result<(), Reason> {
    if connection.peer.state == PEER_UNKNOWN {
        pair::write(connection, peer);
        counters::event(Event::Paired);
    }
    if policy.flags & OBSERVE != 0 {
        return Err(Reason::Observing);
    }
    if policy.flags & ENFORCE == 0 {
        return Err(Reason::NotEnforced);
    }
    // Whoever uninstalls has switched the node off, and takes sockets out while a daemon may still run scans.
    if is_off(NODE_SWITCH) {
        return Err(Reason::SwitchedOff);
    }
    let Some(record) = ma_ends.get_ptr_mut(connection.id) else { return Err(Reason::NotRecorded) };
    // SAFETY: readable while the program runs (RCU).
    let left_for = unsafe { (*record).left_for };
    // The same question at both ends, so that they enter together: one that is there alone gains nothing. It comes early, since
    // most connections of most nodes are quiet, and all are looked at.
    if own.segments_in() < READ_FIRST || own.segments_out() < READ_FIRST {
        return Err(Reason::Candidate);
    }
    both_take_it(own, connection)?;
    habits_allow(connection, peer)?;
    // It has been there in vain: this time the peer goes first.
    if peer_goes_first(connection.id.role, left_for, Stay { state: peer.state, left_for: peer.left_for }) {
        return Err(Reason::PeerNotPromoted);
    }
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let no_gain = is_no_gain(left_for);
    if no_gain {
        if connection.baseline.set == 0 {
            count_from_now(own, connection);
        }
        if now < back_at(connection.membership.left_at, connection.membership.leaves) {
            return Err(Reason::from_number(left_for).unwrap_or(Reason::Backlogged));
        }
    }
    let age = now.wrapping_sub(connection.recorded_at);
    let no_gain_before = goes_by_others(connection.membership.leaves, age) && port_history::no_gain_before(connection);
    if policy.flags & EAGER == 0 || no_gain || no_gain_before {
        weigh(own, connection, policy, no_gain_before)?;
    }
    // What waits there, an application that has left it for later may never learn of: see `skmsg.rs`. A stream to a
    // sidecar has always some, and its reader always reads on.
    if application_reads(connection.side, policy) && unread(own) {
        return Err(Reason::OrderBarrier);
    }
    // SAFETY: this end's own record. What an earlier stay was to end for does not end this one.
    unsafe { write_volatile(&raw mut (*record).wanted, 0) };
    let mut key = connection.key;
    // SAFETY: a key on the stack and a socket pointer that the verifier knows; the value of a SOCKHASH is a socket.
    let result =
        unsafe { bpf_map_update_elem(address(&ma_sockets), (&raw mut key).cast(), own.pointer(), BPF_NOEXIST.into()) };
    if result != 0 {
        return Err(counters::promotion_failed(result));
    }
    // From here on receive calls use the redirected queue. copied_seq is read after that and published last: a call
    // that moves it from now on is either a new one, or the one that was blocked before and returns with these bytes.
    connection.membership.copied_at_promotion = own.copied_sequence();
    // SAFETY: no arguments.
    connection.membership.promoted_at = unsafe { bpf_ktime_get_ns() };
    connection.sender.passed_at = connection.membership.promoted_at;
    connection.membership.state = STATE_PROMOTED_LATE;
    connection.reason = Reason::ReaderNotSeen as u32;
    // SAFETY: this end's own record. A sender that sees the state must see the rest.
    unsafe {
        write_volatile(&raw mut (*record).left_for, 0);
        write_volatile(&raw mut (*record).copied_at_promotion, connection.membership.copied_at_promotion);
        barrier(&raw mut connection.ordered);
        write_volatile(&raw mut (*record).state, STATE_PROMOTED_LATE);
    }
    // What was seen of its application while it entered came before anybody could ask it to leave.
    barrier(&raw mut connection.ordered);
    if let Err(reason) = habits_allow(connection, peer) {
        want(&connection.id, reason as u32);
    }
    // Or they came since. From now on each message that TCP takes is known to its sender.
    connection.membership.unread_since = if unread(own) { connection.membership.promoted_at } else { 0 };
    connection.membership.copied_seen = connection.membership.copied_at_promotion;
    counters::event(Event::PromotedLate);
    port_history::gained(connection);
    // It shall come at once, not when a full resync finds it: alone, this one leaves again.
    if peer.state == STATE_CANDIDATE {
        mark_peer(&peer.key, connection.id.peer());
    }
    Ok(())
}

/// Not inlined: the mark takes 40 bytes of the stack.
#[inline(never)]
fn mark_peer(key: &SocketKey, id: EndId) {
    mark_end(key, id);
}

/// Has TCP received what its reader has not read?
#[inline(always)]
pub fn unread(own: Own) -> bool {
    Other(own.address()).unread() != Some(0)
}

#[inline(always)]
fn weigh(own: Own, connection: &mut Connection, policy: &Policy, no_gain_before: bool) -> Result<(), Reason> {
    let worth = worth(&Evidence {
        segments_in: own.segments_in().wrapping_sub(connection.baseline.segments_in),
        segments_out: own.segments_out().wrapping_sub(connection.baseline.segments_out),
        bytes_in: own.bytes_received().wrapping_sub(connection.baseline.bytes_in),
        bytes_out: own.bytes_acked().wrapping_sub(connection.baseline.bytes_out),
        application_reads: application_reads(connection.side, policy),
        peer_application_reads: application_reads(connection.peer.side, policy),
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
    connection.baseline.segments_in = own.segments_in();
    connection.baseline.segments_out = own.segments_out();
    connection.baseline.bytes_in = own.bytes_received();
    connection.baseline.bytes_out = own.bytes_acked();
    connection.baseline.set = 1;
}

/// Neither end's application has a habit that the SOCKHASH does not serve (see `habits.rs`).
#[inline(always)]
fn habits_allow(connection: &Connection, peer: &EndRecord) -> Result<(), Reason> {
    let kernel = habits::kernel();
    // SAFETY: readable while the program runs (RCU).
    let seen = ma_ends.get_ptr(connection.id).map_or(0, |own| unsafe { read_volatile(&raw const (*own).habits) });
    may_enter(seen | habits::of_port(connection.slot, &connection.key, &connection.id), &kernel)?;
    // SAFETY: as above.
    let seen = unsafe { read_volatile(&raw const peer.habits) };
    may_enter(seen | habits::of_port(peer.slot, &peer.key, &connection.id.peer()), &kernel)
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
    if Other(own.address()).is_diverted() || Other(connection.peer.socket).is_diverted() {
        return Err(Reason::InAnotherSockmap);
    }
    for end in [Other(own.address()), Other(connection.peer.socket)] {
        let reading = end.reading(end.file()).ok_or(Reason::PeerUnreadable)?;
        demands::reader(&reading, offset!(blocking_waits) != 0)?;
    }
    Ok(())
}
