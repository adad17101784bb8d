//! sock_ops: records sockets of selected pods when they become established, and forgets them when they close.
//!
//! Runs for every TCP connection of the cgroup tree, so the first thing it asks is whether the network namespace
//! belongs to a selected pod.

use core::ptr::write_volatile;

use aya_ebpf::bindings::{
    BPF_NOEXIST, BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB, BPF_SOCK_OPS_RTT_CB,
    BPF_SOCK_OPS_STATE_CB, BPF_SOCK_OPS_STATE_CB_FLAG,
};
use aya_ebpf::helpers::generated::bpf_get_netns_cookie;
use aya_ebpf::macros::sock_ops;
use aya_ebpf::programs::SockOpsContext;
use meshaccel_abi::redirect::connection::{
    PEER_UNKNOWN, SIDE_EXCLUDED, SIDE_SIDECAR, STATE_CANDIDATE, STATE_PROMOTED_EARLY, STATE_PROMOTED_LATE,
};
use meshaccel_abi::redirect::policy::{EAGER, ENFORCE};
use meshaccel_abi::redirect::{Connection, Event, Policy, Reason, Role};
use meshaccel_decide::redirect::habits::may_enter;

use crate::barrier::barrier;
use crate::context::{identity, key, socket};
use crate::leaving::want;
use crate::maps::{ma_ends, ma_sockets, offset};
use crate::record::{self, policy_of};
use crate::socket::{Own, TCP_CLOSE, TCP_CLOSE_WAIT, TCP_ESTABLISHED};
use crate::{counters, evict, habits, pair, port_history, round_trip};

#[sock_ops]
pub fn ma_sockops(ctx: SockOpsContext) -> u32 {
    match ctx.op() {
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB => established(&ctx, Role::Active),
        BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB => established(&ctx, Role::Passive),
        BPF_SOCK_OPS_STATE_CB => state_changed(&ctx),
        BPF_SOCK_OPS_RTT_CB => round_trip::look(&ctx),
        _ => {}
    }
    1
}

#[inline(always)]
fn established(ctx: &SockOpsContext, role: Role) {
    // SAFETY: the context of this program.
    let netns_cookie = unsafe { bpf_get_netns_cookie(ctx.ops.cast()) };
    let Some((slot, policy)) = policy_of(netns_cookie) else { return };
    let Some((socket, own)) = socket(ctx) else { return };
    let key = key(ctx, own, netns_cookie);
    let id = identity(ctx, role);
    if let Some(earlier) = record::find(socket) {
        // connect(AF_UNSPEC), and then connect again: nothing of the earlier connection may be read from this one.
        evict::remove(earlier.id, earlier.key);
        record::forget(earlier.id, earlier.slot);
    }
    if port_history::skips(&key, &id) && round_trip::watch(ctx) {
        counters::event(Event::NotRecorded);
        return;
    }
    let Some(connection) = record::record(socket, own, &key, id, slot, policy) else { return };
    // Without this callback the record would stay until a visit finds it; so a refusal is no reason to give up.
    let _ = ctx.set_cb_flags((ctx.cb_flags() | BPF_SOCK_OPS_STATE_CB_FLAG) as i32);
    if policy.flags & (EAGER | ENFORCE) == EAGER | ENFORCE {
        promote(ctx, own, connection, policy, role);
    }
    let is_due = match connection.membership.state {
        // It has to carry something first.
        STATE_CANDIDATE => !round_trip::watch(ctx),
        _ => connection.peer.state == PEER_UNKNOWN,
    };
    if is_due {
        record::mark(connection);
    }
}

/// Eager promotion. The passive end, which comes second, knows whether its peer is recorded and allowed. The active end
/// comes first and cannot know; if nobody pairs with it, a visit takes it back.
#[inline(always)]
fn promote(ctx: &SockOpsContext, own: Own, connection: &mut Connection, policy: &Policy, role: Role) {
    if connection.side == SIDE_EXCLUDED {
        connection.reason = Reason::ExcludedPort as u32;
        return;
    }
    if may_enter(habits::of_port(connection.slot, &connection.key, &connection.id), &habits::kernel()).is_err() {
        return;
    }
    // Whether an application's descriptor is non-blocking is not known before it has one: the first scan looks.
    if connection.side != SIDE_SIDECAR && offset!(blocking_waits) == 0 {
        return;
    }
    if matches!(role, Role::Passive) {
        match pair::find(connection, policy.flags) {
            Ok(peer) => {
                pair::write(connection, peer);
                counters::event(Event::Paired);
            }
            Err(reason) => {
                connection.reason = reason as u32;
                return;
            }
        }
    }
    let mut key = connection.key;
    // SAFETY: the context of this program.
    let result = unsafe {
        aya_ebpf::helpers::generated::bpf_sock_hash_update(
            ctx.ops,
            crate::maps::address(&ma_sockets),
            (&raw mut key).cast(),
            BPF_NOEXIST.into(),
        )
    };
    if result != 0 {
        connection.reason = counters::promotion_failed(result) as u32;
        return;
    }
    // Nobody can have called recv on a socket that has not been accepted yet. But a client may call recv in one thread
    // while another connects: it may be blocked on the TCP queue already, as a late-promoted socket's reader may be.
    connection.membership.state = match role {
        Role::Passive => STATE_PROMOTED_EARLY,
        Role::Active => STATE_PROMOTED_LATE,
    };
    connection.membership.copied_at_promotion = own.copied_sequence();
    connection.membership.promoted_at = connection.recorded_at;
    connection.sender.passed_at = connection.recorded_at;
    if let Some(record) = ma_ends.get_ptr_mut(connection.id) {
        // SAFETY: this end's own record; its other writer, a visit, leaves new sockets alone for a second.
        unsafe {
            write_volatile(&raw mut (*record).copied_at_promotion, connection.membership.copied_at_promotion);
            barrier(&raw mut connection.ordered);
            write_volatile(&raw mut (*record).state, connection.membership.state);
        }
    }
    counters::event(Event::PromotedEarly);
}

#[inline(always)]
fn state_changed(ctx: &SockOpsContext) {
    // args: old state, new state.
    if ctx.arg(1) != u32::from(TCP_CLOSE) {
        return;
    }
    let Some((socket, own)) = socket(ctx) else { return };
    let Some(connection) = record::find(socket) else { return };
    // What only watches promotes nothing, and learns nothing from that.
    if let Some(policy) = record::policy_in(connection.slot, connection.key.netns_cookie) {
        record::account(connection);
        if policy.flags & ENFORCE != 0 {
            port_history::ended(connection);
        }
    }
    record::unmark(connection);
    if own.redirected_queue_empty() != Some(true) && !disconnects(ctx.arg(0), own) {
        // Its record remains for as long: a place in the SOCKHASH counts for its pod's share.
        want(&connection.id, Reason::Closed as u32);
        return;
    }
    evict::remove(connection.id, connection.key);
    record::forget(connection.id, connection.slot);
    counters::event(Event::Closed);
}

/// A closed socket may live on, and its calls had better be TCP's own: tcp_bpf_sendmsg reports an error again and again that
/// TCP reports once. But what was redirected to it may still be read, so it leaves the SOCKHASH only when nothing is. Unless
/// it was closed by connect(AF_UNSPEC), which alone leads from an open connection to CLOSE without an error: then TCP throws
/// away what is unread, and so must this; it would be read from the socket's next connection.
#[inline(always)]
fn disconnects(from: u32, own: Own) -> bool {
    (from == u32::from(TCP_ESTABLISHED) || from == u32::from(TCP_CLOSE_WAIT)) && !own.has_failed()
}
