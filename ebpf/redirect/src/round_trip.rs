//! TCP reports the first round trips of a socket (BPF_SOCK_OPS_RTT_CB, Linux 5.3), a few dozen at most. So nobody need visit a
//! candidate that carries nothing: it becomes dirty when it has carried enough to be judged.

use aya_ebpf::bindings::{BPF_SOCK_OPS_RTT_CB_FLAG, BPF_SOCK_OPS_STATE_CB_FLAG};
use aya_ebpf::programs::SockOpsContext;
use meshaccel_abi::redirect::Connection;
use meshaccel_abi::redirect::policy::{EAGER, ENFORCE};
use meshaccel_decide::redirect::eligibility::{is_due, is_known};

use crate::context::socket;
use crate::maps::ma_neighbours;
use crate::record::{find, mark, policy_in};
use crate::socket::Own;
use crate::{deferred, room};

/// Asks for the reports. False when that is refused, or when another program has asked already: who wants them cannot be told
/// from the socket's flag.
#[inline(always)]
pub fn watch(ctx: &SockOpsContext) -> bool {
    let flags = ctx.cb_flags();
    flags & BPF_SOCK_OPS_RTT_CB_FLAG == 0 && ctx.set_cb_flags((flags | BPF_SOCK_OPS_RTT_CB_FLAG) as i32).is_ok()
}

/// A round trip.
#[inline(always)]
pub fn look(ctx: &SockOpsContext) {
    let Some((socket, own)) = socket(ctx) else { return };
    let is_known = match find(socket) {
        Some(connection) => candidate(ctx, own, connection),
        None => deferred::look(ctx, socket, own),
    };
    if !is_known {
        return;
    }
    // To take the flag down would be to take it from another program that has asked, too.
    if ma_neighbours.get(0).is_some_and(|others| *others != 0) {
        let _ = ctx.set_cb_flags((ctx.cb_flags() | BPF_SOCK_OPS_STATE_CB_FLAG) as i32);
    } else {
        let flags = ctx.cb_flags() & !BPF_SOCK_OPS_RTT_CB_FLAG;
        let _ = ctx.set_cb_flags((flags | BPF_SOCK_OPS_STATE_CB_FLAG) as i32);
    }
}

/// True: no more of these reports.
#[inline(always)]
fn candidate(ctx: &SockOpsContext, own: Own, connection: &mut Connection) -> bool {
    if connection.baseline.known != 0 {
        // Another program goes on to ask.
        return false;
    }
    let Some(policy) = policy_in(connection.slot, connection.key.netns_cookie) else { return true };
    let (eager, segments_in, segments_out) = (policy.flags & EAGER != 0, own.segments_in(), own.segments_out());
    if is_due(eager, segments_in, segments_out) {
        if policy.flags & ENFORCE != 0 {
            room::make(ctx.ops.cast(), own, policy);
        }
        mark(connection);
    }
    connection.baseline.known = is_known(eager, segments_in, segments_out).into();
    connection.baseline.known != 0
}
