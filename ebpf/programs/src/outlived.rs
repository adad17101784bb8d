//! A connection that was not recorded, because those of its port are short, and lives longer. TCP reports its round trips
//! (BPF_SOCK_OPS_RTT_CB, Linux 5.3), a few dozen at most: then it is recorded as one that was open before.

use crate::lesson;
use crate::record::{find, record_open};
use crate::sockops::{key, socket};
use aya_ebpf::bindings::{BPF_SOCK_OPS_RTT_CB_FLAG, BPF_SOCK_OPS_STATE_CB_FLAG};
use aya_ebpf::programs::SockOpsContext;
use meshaccel_abi::{EndId, Role};

/// Asks for the reports. False when that is refused, or when another program has asked already: the flag is the socket's, and
/// to take it down would be to take it from that program.
#[inline(always)]
pub fn watch(ctx: &SockOpsContext) -> bool {
    let flags = ctx.cb_flags();
    flags & BPF_SOCK_OPS_RTT_CB_FLAG == 0 && ctx.set_cb_flags((flags | BPF_SOCK_OPS_RTT_CB_FLAG) as i32).is_ok()
}

/// A round trip.
#[inline(always)]
pub fn look(ctx: &SockOpsContext) {
    let Some((socket, own)) = socket(ctx) else { return };
    if !meshaccel_decide::lesson::outlives(own.segments_in(), own.segments_out()) {
        return;
    }
    let flags = ctx.cb_flags() & !BPF_SOCK_OPS_RTT_CB_FLAG;
    let _ = ctx.set_cb_flags((flags | BPF_SOCK_OPS_STATE_CB_FLAG) as i32);
    // A daemon that was started since may have adopted it.
    if find(socket).is_some() {
        return;
    }
    let key = key(ctx, own, own.netns_cookie());
    let Some(role) = lesson::role(&key) else { return };
    // An active end's bytes_acked counts its SYN.
    let sent = own.sent_base().wrapping_add(u32::from(role == Role::Active));
    record_open(socket, own, &key, EndId::at(role, sent, own.received_base()));
}
