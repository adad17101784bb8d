//! Recording a socket: its storage, and the record that its peer will find.

use core::ffi::c_void;
use core::ptr::{null_mut, write_volatile};

use aya_ebpf::bindings::{BPF_NOEXIST, BPF_SK_STORAGE_GET_F_CREATE};
use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_sk_storage_get};
use meshaccel_abi::redirect::connection::{PEER_UNKNOWN, STATE_CANDIDATE};
use meshaccel_abi::redirect::policy::ENFORCE;
use meshaccel_abi::redirect::{Connection, EndId, EndRecord, Event, Policy, Reason, SocketKey, SocketMark};
use meshaccel_decide::redirect::side::side;

use crate::maps::{address, ma_connections, ma_dirty, ma_ends, ma_pods, ma_policies, ma_totals};
use crate::socket::Own;
use crate::wake::wake;
use crate::{counters, quota};

/// The storage of a socket, if it is recorded.
#[inline(always)]
pub fn find(socket: *mut c_void) -> Option<&'static mut Connection> {
    // SAFETY: the helper takes any full socket; the value lives as long as the program runs (RCU).
    unsafe { bpf_sk_storage_get(address(&ma_connections), socket, null_mut(), 0).cast::<Connection>().as_mut() }
}

/// Has the next scan visit a socket, and soon. When the table is full it is left to the full resync. Not inlined:
/// the value would take 40 bytes of the stack for each of its callers.
#[inline(never)]
pub fn mark(connection: &Connection) {
    mark_end(&connection.key, connection.id);
}

/// The same of one that is known by its record.
#[inline(always)]
pub fn mark_end(key: &SocketKey, id: EndId) {
    // SAFETY: no arguments.
    let since = unsafe { bpf_ktime_get_ns() };
    let mark = SocketMark { since, netns_cookie: key.netns_cookie, id, zero: 0 };
    if ma_dirty.insert(key.socket_cookie, mark, 0).is_ok() {
        wake();
    }
}

/// Since when it is to be visited, if it is.
#[inline(always)]
pub fn marked_since(connection: &Connection) -> Option<u64> {
    // SAFETY: one field is read, which may change meanwhile.
    unsafe { ma_dirty.get(connection.key.socket_cookie) }.map(|mark| mark.since)
}

/// Its record is no longer there. `slot`: its pod's. False: it was not.
#[inline(always)]
pub fn forget(id: EndId, slot: u32) -> bool {
    let was_there = ma_ends.remove(id).is_ok();
    if was_there {
        quota::less(slot);
    }
    was_there
}

/// Has it visited no more.
#[inline(always)]
pub fn unmark(connection: &Connection) {
    let _ = ma_dirty.remove(connection.key.socket_cookie);
}

/// A socket may have been taken out of the SOCKHASH where its storage was out of reach; the record tells.
#[inline(always)]
pub fn refresh(connection: &mut Connection) {
    let Some(record) = ma_ends.get_ptr(connection.id) else { return };
    // SAFETY: readable while the program runs (RCU).
    let (generation, left_for) = unsafe { ((*record).key.generation, (*record).left_for) };
    if generation != connection.key.generation {
        connection.key.generation = generation;
        to_candidate(connection);
        left(connection, left_for);
    }
}

/// It has left the SOCKHASH; each time that was no gain it stays out for longer.
#[inline(always)]
pub fn left(connection: &mut Connection, left_for: u32) {
    connection.reason = left_for;
    if is_no_gain(left_for) {
        connection.membership.leaves = connection.membership.leaves.saturating_add(1);
        // SAFETY: no arguments.
        connection.membership.left_at = unsafe { bpf_ktime_get_ns() };
    }
}

/// Did it leave because redirecting was no gain?
#[inline(always)]
pub fn is_no_gain(left_for: u32) -> bool {
    left_for == Reason::OneWay as u32 || left_for == Reason::Backlogged as u32 || left_for == Reason::TakesBulk as u32
}

/// The state of a socket that is not in the SOCKHASH.
#[inline(always)]
pub fn to_candidate(connection: &mut Connection) {
    connection.membership.state = STATE_CANDIDATE;
    // SAFETY: a live value. Volatile: together with its neighbour it would become a call of memset, byte by byte.
    unsafe { write_volatile(&raw mut connection.membership.promoted_at, 0) };
    connection.peer.state = PEER_UNKNOWN;
    connection.sender.clean = 0;
    connection.membership.attempts = 0;
    connection.membership.unread_since = 0;
    forget_gain(connection);
    connection.baseline.set = 0;
    connection.reason = Reason::Candidate as u32;
}

/// Adds what this end has redirected since the last time to its pod's total: at full resyncs and at the end, not for each message.
#[inline(always)]
pub fn account(connection: &mut Connection) {
    let bytes = connection.sender.redirected.bytes.wrapping_sub(connection.accounted);
    let Some(total) = ma_totals.get_ptr_mut(connection.slot) else { return };
    if bytes != 0 {
        connection.accounted = connection.accounted.wrapping_add(bytes);
        // SAFETY: a value of this CPU.
        unsafe { *total = (*total).wrapping_add(bytes) }
    }
}

/// Whether redirecting gains has to be found out again.
#[inline(always)]
pub fn forget_gain(connection: &mut Connection) {
    connection.gain.no_gain = 0;
    connection.gain.one_way_looks = 0;
    connection.gain.passed_looks = 0;
}

/// Slot and policy of the selected pod that owns a network namespace.
#[inline(always)]
pub fn policy_of(netns_cookie: u64) -> Option<(u32, &'static Policy)> {
    // SAFETY: only `slot` is read, which never changes while the entry is there.
    let slot = unsafe { ma_pods.get(netns_cookie)?.slot };
    Some((slot, policy_in(slot, netns_cookie)?))
}

/// The policy in `slot`, if it still belongs to that namespace: slots are used again.
#[inline(always)]
pub fn policy_in(slot: u32, netns_cookie: u64) -> Option<&'static Policy> {
    let policy = ma_policies.get(slot)?;
    if policy.netns_cookie == netns_cookie { Some(policy) } else { None }
}

/// Records a connection that has been open for a while, and has the next scan visit it. Gives its policy when that enforces;
/// `None` also when its pod is not selected (any more), or a table is full.
#[inline(always)]
pub fn record_open(socket: *mut c_void, own: Own, key: &SocketKey, id: EndId) -> Option<&'static Policy> {
    let (slot, policy) = policy_of(key.netns_cookie)?;
    let connection = record(socket, own, key, id, slot, policy)?;
    mark(connection);
    if policy.flags & ENFORCE != 0 { Some(policy) } else { None }
}

/// Records a socket. `None` when its pod has its share, or a table is full: the connection stays on TCP (invariant 6).
#[inline(always)]
pub fn record(
    socket: *mut c_void,
    own: Own,
    key: &SocketKey,
    id: EndId,
    slot: u32,
    policy: &Policy,
) -> Option<&'static mut Connection> {
    if !quota::admits(slot) {
        counters::event(Event::PodFull);
        return None;
    }
    // SAFETY: as in `find`.
    let storage = unsafe {
        bpf_sk_storage_get(address(&ma_connections), socket, null_mut(), BPF_SK_STORAGE_GET_F_CREATE.into())
            .cast::<Connection>()
            .as_mut()
    };
    let Some(connection) = storage else {
        counters::event(Event::StorageFailed);
        return None;
    };
    let side = side(policy, &key.local, &key.remote, own.uid());
    connection.key = *key;
    connection.id = id;
    connection.slot = slot;
    connection.side = side;
    connection.reason = Reason::Candidate as u32;
    // SAFETY: no arguments.
    connection.recorded_at = unsafe { bpf_ktime_get_ns() };
    let end = EndRecord {
        key: *key,
        socket: own.address(),
        wanted_since: 0,
        slot,
        side,
        state: STATE_CANDIDATE,
        copied_at_promotion: 0,
        left_for: 0,
        wanted: 0,
        habits: 0,
        wake_reader: 0,
        sent: 0,
        gated: 0,
        redirected_to: 0,
        visited: 0,
    };
    // Nobody else can have this identity (`EndId`); if so, it keeps it, or the count would be wrong.
    if ma_ends.insert(id, end, BPF_NOEXIST.into()).is_err() {
        counters::event(Event::EndsFull);
        connection.reason = Reason::Unpaired as u32;
        return None;
    }
    quota::more(slot);
    counters::event(Event::Recorded);
    Some(connection)
}
