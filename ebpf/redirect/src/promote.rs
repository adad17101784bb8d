//! A candidate enters the SOCKHASH. Whether it does is for `meshaccel_decide::redirect::lifecycle` to say.

use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_map_update_elem};
use meshaccel_abi::redirect::connection::{STATE_CANDIDATE, STATE_PROMOTED_LATE};
use meshaccel_abi::redirect::{Connection, EndId, EndRecord, Event, Reason, SocketKey};
use meshaccel_decide::redirect::habits::may_enter;

use crate::barrier::barrier;
use crate::leaving::want;
use crate::maps::{address, ma_ends, ma_sockets};
use crate::record::mark_end;
use crate::socket::{Other, Own};
use crate::{counters, habits, port_history};

/// Puts the socket of the running program into the SOCKHASH. An error: the kernel has refused, and it stays a candidate.
#[inline(always)]
pub fn enter(own: Own, connection: &mut Connection, peer: &EndRecord) -> Result<(), Reason> {
    let Some(record) = ma_ends.get_ptr_mut(connection.id) else { return Err(Reason::NotRecorded) };
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

/// Neither end's application has a habit that the SOCKHASH does not serve (see `habits.rs`).
#[inline(always)]
pub fn habits_allow(connection: &Connection, peer: &EndRecord) -> Result<(), Reason> {
    let kernel = habits::kernel();
    // SAFETY: readable while the program runs (RCU).
    let seen = ma_ends.get_ptr(connection.id).map_or(0, |own| unsafe { read_volatile(&raw const (*own).habits) });
    may_enter(seen | habits::of_port(connection.slot, &connection.key, &connection.id), &kernel)?;
    // SAFETY: as above.
    let seen = unsafe { read_volatile(&raw const peer.habits) };
    may_enter(seen | habits::of_port(peer.slot, &peer.key, &connection.id.peer()), &kernel)
}
