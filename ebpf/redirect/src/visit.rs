//! Visits one recorded socket, whichever network namespace it is in. The daemon runs it (see `meshaccel_abi::redirect::visit`) for the
//! dirty ones often, since they are few: a candidate that is not promoted within seconds is left to the full resync. For those that
//! are to leave at once, and again within milliseconds. And for all of them now and then, and when something has changed: the
//! full resync, which finds what must leave.
//!
//! A program that is run on demand must come by its sockets itself. A promoted one is had from the SOCKHASH; any other by its
//! addresses, in the network namespace that the daemon has entered. Either is taken for what the record means only if it has the
//! cookie. (The iterator over socket storage gives all recorded sockets of all namespaces; there are kernels that refuse it, and it
//! visits all to find a few: see [`scan`](crate::scan).)

use core::ffi::c_void;
use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_map_lookup_elem, bpf_sk_lookup_tcp, bpf_sk_release};
use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use meshaccel_abi::redirect::connection::{PEER_UNKNOWN, STATE_CANDIDATE};
use meshaccel_abi::redirect::policy::EAGER;
use meshaccel_abi::redirect::visit::{
    DIRTY, DONE, GATED, GONE, IS_PAIRED, IS_PROMOTED, LEAVE, OUT_OF_REACH, PENDING, REMOVED, RESYNC, SCAN, SWEEP, WAKE,
};
use meshaccel_abi::redirect::{Connection, EndId, EndRecord, Event, Policy, Reason, SocketKey};
use meshaccel_decide::redirect::eligibility;
use meshaccel_decide::redirect::lifecycle::{Step, step};
use meshaccel_decide::redirect::side::side;

use crate::leaving::{self, announce, leave, want};
use crate::lifecycle::Visited;
use crate::maps::{address, ma_dirty, ma_ends, ma_sockets};
use crate::promote::enter;
use crate::record::{account, find, forget, mark, marked_since, policy_in, refresh, unmark};
use crate::socket::{Other, Own, TCP_CLOSE};
use crate::{alone, counters, evict, gate, pair};

#[classifier]
pub fn ma_visit(ctx: TcContext) -> i32 {
    let skb = ctx.skb.skb;
    look::<true>(skb, id(skb), word(skb, 3)) as i32
}

/// Changes no SOCKHASH: where a classifier may not, this takes sockets back in two steps, between which user space removes their
/// keys. Who waits for that is told after it.
#[classifier]
pub fn ma_leave(ctx: TcContext) -> i32 {
    let skb = ctx.skb.skb;
    look::<false>(skb, id(skb), word(skb, 3)) as i32
}

#[inline(always)]
fn word(skb: *mut __sk_buff, index: usize) -> u32 {
    // SAFETY: a field of the context; volatile keeps the loads of the width that the verifier converts.
    unsafe { read_volatile(&raw const (*skb).cb[index]) }
}

#[inline(always)]
fn id(skb: *mut __sk_buff) -> EndId {
    EndId { client_sequence: word(skb, 0), server_sequence: word(skb, 1), role: word(skb, 2) }
}

#[inline(always)]
fn look<const WHOLLY: bool>(skb: *mut __sk_buff, id: EndId, purpose: u32) -> u32 {
    let Some(record) = ma_ends.get_ptr_mut(id) else { return GONE };
    // SAFETY: readable while the program runs (RCU).
    let socket = unsafe { (*record).socket };
    if let Some(outcome) = is_over(socket, id, record, purpose) {
        return outcome;
    }
    match purpose {
        SWEEP => return OUT_OF_REACH,
        GATED => {
            gate::opened(record);
            return DONE;
        }
        _ => {}
    }
    alone::visit(record, || reach_and_look::<WHOLLY>(skb, id, record, purpose))
        .unwrap_or_else(|| visited(record, purpose))
}

/// Somebody else visits it just now.
#[inline(always)]
fn visited(record: *const EndRecord, purpose: u32) -> u32 {
    // SAFETY: readable while the program runs (RCU).
    let is_promoted = unsafe { read_volatile(&raw const (*record).state) } != STATE_CANDIDATE;
    match purpose {
        SCAN => DIRTY,
        RESYNC if is_promoted => DONE | IS_PROMOTED | IS_PAIRED,
        RESYNC => DONE,
        _ => PENDING,
    }
}

#[inline(always)]
fn reach_and_look<const WHOLLY: bool>(skb: *mut __sk_buff, id: EndId, record: *mut EndRecord, purpose: u32) -> u32 {
    // SAFETY: as above.
    let (key, state) = unsafe { ((*record).key, read_volatile(&raw const (*record).state)) };
    // User space has removed, or would remove, another key: it will come back with this one.
    if !WHOLLY && (purpose == LEAVE || purpose == REMOVED) && key.generation != word(skb, 4) {
        return PENDING;
    }
    if !WHOLLY && purpose == REMOVED {
        evict::removed(id, key);
        return DONE;
    }
    let socket = reach(skb, &key, state);
    if socket.is_null() {
        return out_of_reach::<WHOLLY>(&id, &key, state);
    }
    let done = match (Own::new(socket), find(socket)) {
        (Some(own), Some(connection)) if own.cookie() == key.socket_cookie => {
            if WHOLLY {
                look_at(own, connection, purpose)
            } else {
                leaves::<false>(own, connection, purpose)
            }
        }
        _ => out_of_reach::<WHOLLY>(&id, &key, state),
    };
    // SAFETY: the reference that `reach` gave.
    unsafe { bpf_sk_release(socket) };
    done
}

/// What a scan has come by.
#[inline(always)]
pub fn look_scanned(own: Own, connection: &mut Connection, purpose: u32) -> u32 {
    let Some(record) = ma_ends.get_ptr_mut(connection.id) else { return DONE };
    if let Some(outcome) = is_over(own.address(), connection.id, record, purpose) {
        return outcome;
    }
    alone::visit(record, || look_at(own, connection, purpose)).unwrap_or_else(|| visited(record, purpose))
}

/// What became of a recorded socket: an outcome, and what it is.
#[inline(always)]
fn look_at(own: Own, connection: &mut Connection, purpose: u32) -> u32 {
    let outcome = match purpose {
        LEAVE => leaves::<true>(own, connection, purpose),
        _ => visit(own, connection, purpose == RESYNC),
    };
    let promoted = if connection.membership.state == STATE_CANDIDATE { 0 } else { IS_PROMOTED };
    let paired = if connection.peer.state == PEER_UNKNOWN { 0 } else { IS_PAIRED };
    outcome | promoted | paired
}

/// Most records are removed by sock_ops when the socket closes; imported sockets have no such callback, and nobody listens while
/// no program is attached. TCP sockets are SLAB_TYPESAFE_BY_RCU: the address may hold another socket by now, which has
/// another cookie.
///
/// A closed socket that somebody has open still may be in the SOCKHASH: that it is to leave, and its record goes after it.
#[inline(always)]
fn is_over(socket: u64, id: EndId, record: *mut EndRecord, purpose: u32) -> Option<u32> {
    // SAFETY: readable while the program runs (RCU).
    let (cookie, slot, state) =
        unsafe { ((*record).key.socket_cookie, (*record).slot, read_volatile(&raw const (*record).state)) };
    if Other(socket).cookie() == Some(cookie) {
        if Other(socket).state() != Some(TCP_CLOSE) {
            return None;
        }
        if state != STATE_CANDIDATE {
            if purpose == LEAVE || purpose == REMOVED || purpose == GATED {
                return None;
            }
            // SAFETY: as above.
            let is_known = unsafe { read_volatile(&raw const (*record).wanted) } != 0;
            want(&id, Reason::Closed as u32);
            if is_known && (purpose == RESYNC || purpose == SWEEP) {
                // Whoever was told of it may have ended since, or given up on bytes that nobody read.
                announce(&id, record);
            }
            return Some(DONE | IS_PROMOTED);
        }
    }
    if forget(id, slot) {
        counters::event(Event::Swept);
    }
    let _ = ma_dirty.remove(cookie);
    Some(GONE)
}

/// The socket, with a reference that must be given back, or null. Not inlined: the stack is too small for all of it at once.
#[inline(never)]
fn reach(skb: *mut __sk_buff, key: &SocketKey, state: u32) -> *mut c_void {
    if state != STATE_CANDIDATE {
        // SAFETY: a key on the stack, which is only read.
        let socket = unsafe { bpf_map_lookup_elem(address(&ma_sockets), (&raw const *key).cast_mut().cast()) };
        if !socket.is_null() {
            return socket;
        }
    }
    const CURRENT_NETNS: u64 = u64::MAX;
    // As a packet to the socket would have them: from the other end to this one.
    let socket = if let (Some(from), Some(to)) = (key.remote.v4_address(), key.local.v4_address()) {
        let mut tuple = Tuple { from, to, ports: [key.remote.port_bytes(), key.local.port_bytes()] };
        let size = size_of_val(&tuple) as u32;
        // SAFETY: the context and a `bpf_sock_tuple` of IPv4 on the stack.
        unsafe { bpf_sk_lookup_tcp(skb.cast(), (&raw mut tuple).cast(), size, CURRENT_NETNS, 0) }
    } else {
        let (from, to) = (*key.remote.address(), *key.local.address());
        let mut tuple = Tuple { from, to, ports: [key.remote.port_bytes(), key.local.port_bytes()] };
        let size = size_of_val(&tuple) as u32;
        // SAFETY: the same of IPv6.
        unsafe { bpf_sk_lookup_tcp(skb.cast(), (&raw mut tuple).cast(), size, CURRENT_NETNS, 0) }
    };
    socket.cast()
}

/// `struct bpf_sock_tuple`, of either family.
#[repr(C)]
struct Tuple<A> {
    from: A,
    to: A,
    ports: [[u8; 2]; 2],
}

/// It stays on TCP, and no scan comes for it: whoever is bound to a device, for one, is not found by its addresses. One that ought
/// to be in the SOCKHASH was taken out by the kernel; what others know of its stay there must not be applied to a later one.
#[inline(never)]
fn out_of_reach<const WHOLLY: bool>(id: &EndId, key: &SocketKey, state: u32) -> u32 {
    let _ = ma_dirty.remove(key.socket_cookie);
    if state != STATE_CANDIDATE {
        if WHOLLY {
            evict::remove(*id, *key);
        } else {
            evict::removed(*id, *key);
        }
    }
    OUT_OF_REACH
}

/// What changes a SOCKHASH in nothing but in taking the socket out.
#[inline(always)]
fn leaves<const WHOLLY: bool>(own: Own, connection: &mut Connection, purpose: u32) -> u32 {
    if purpose != LEAVE {
        return OUT_OF_REACH;
    }
    refresh(connection);
    leave::<WHOLLY>(own, connection)
}

/// Of any socket in a full resync, else of a dirty one.
#[inline(always)]
fn visit(own: Own, connection: &mut Connection, resyncs: bool) -> u32 {
    let (before, mut since) = (connection.reason, 0);
    if resyncs {
        judge(own, connection);
    } else {
        let Some(dirty) = marked_since(connection) else { return DONE };
        since = dirty;
    }
    match (move_on(own, connection, resyncs), resyncs) {
        (Some(policy), true) => reviewed(own, connection, policy, before),
        (Some(_), false) => passed(own, connection, since),
        (None, true) => DONE,
        (None, false) => {
            unmark(connection);
            DONE
        }
    }
}

#[inline(never)]
fn passed(own: Own, connection: &mut Connection, since: u64) -> u32 {
    if connection.membership.state == STATE_CANDIDATE && is_in_vain(connection, since) {
        connection.baseline.segments_seen = segments(own);
        unmark(connection);
    }
    if marked_since(connection).is_some() { DIRTY } else { DONE }
}

#[inline(never)]
fn reviewed(own: Own, connection: &mut Connection, policy: &Policy, before: u32) -> u32 {
    account(connection);
    if connection.membership.state != STATE_CANDIDATE {
        // Also of one of which nobody was told.
        let outcome = leaving::reviewed(own, connection);
        return if outcome == WAKE || must_wake(connection) { WAKE } else { DONE };
    }
    if must_wake(connection) {
        return WAKE;
    }
    if connection.membership.state == STATE_CANDIDATE
        && eligibility::is_due(policy.flags & EAGER != 0, own.segments_in(), own.segments_out())
        && (connection.baseline.segments_seen != segments(own) || connection.reason != before)
        && marked_since(connection).is_none()
    {
        mark(connection);
    }
    DONE
}

/// Has this socket left, and its reader not been woken, because no daemon was there to do it?
#[inline(always)]
fn must_wake(connection: &Connection) -> bool {
    // SAFETY: readable while the program runs (RCU).
    ma_ends.get_ptr(connection.id).is_some_and(|record| unsafe { (*record).wake_reader } != 0)
}

/// Has it been visited for long enough in vain?
#[inline(always)]
fn is_in_vain(connection: &Connection, since: u64) -> bool {
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    eligibility::is_over(now, since, connection.membership.left_at, connection.membership.leaves)
}

/// Data segments both ways.
#[inline(always)]
fn segments(own: Own) -> u32 {
    own.segments_in().wrapping_add(own.segments_out())
}

/// What its state and its policy ask for. `None`: there is no policy. Not inlined: the compiler would make two of it, a full resync's
/// and a scan's, and most of the time until a node is accelerated is the verifier's.
#[inline(never)]
fn move_on(own: Own, connection: &mut Connection, resyncs: bool) -> Option<&'static Policy> {
    refresh(connection);
    // Without a policy its pod's slot has been freed, which happens only when the pod's network namespace is gone or
    // after everything in it was retired.
    let policy = policy_in(connection.slot, connection.key.netns_cookie)?;
    let peer = pair::find(connection, policy.flags);
    let is_candidate = connection.membership.state == STATE_CANDIDATE;
    if let Ok(peer) = peer
        && is_candidate
        && connection.peer.state == PEER_UNKNOWN
    {
        pair::write(connection, peer);
        counters::event(Event::Paired);
    }
    let step = step(is_candidate, &mut Visited { own, connection, policy, peer }, resyncs);
    match (step, peer) {
        (Step::Enter, Ok(peer)) => {
            if let Err(reason) = enter(own, connection, peer) {
                connection.reason = reason as u32;
            }
        }
        (Step::Wait(reason), _) => connection.reason = reason as u32,
        (Step::Leave(reason), _) => want(&connection.id, reason as u32),
        // Of an end whose peer is not known yet, the next scan will see whether it came.
        (Step::Remain, _) if !resyncs && connection.peer.state != PEER_UNKNOWN => unmark(connection),
        // Nothing enters without a peer.
        (Step::Remain | Step::Enter, _) => {}
    }
    Some(policy)
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
        unsafe { write_volatile(&raw mut (*record).side, now) };
    }
}
