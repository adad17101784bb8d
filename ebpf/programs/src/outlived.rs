//! A connection that was not recorded, because those of its port are short, and lives longer. TCP reports its round trips
//! (BPF_SOCK_OPS_RTT_CB, Linux 5.3), a few dozen at most: then it is recorded as one that was open before.

use crate::lesson;
use crate::record::{find, mark, policy_of, record};
use crate::sockops::socket;
use aya_ebpf::bindings::{BPF_SOCK_OPS_RTT_CB_FLAG, BPF_SOCK_OPS_STATE_CB_FLAG};
use aya_ebpf::helpers::generated::{bpf_get_netns_cookie, bpf_get_socket_cookie};
use aya_ebpf::programs::SockOpsContext;
use meshaccel_abi::{EndId, Role, SocketKey};

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
    if !meshaccel_decide::lesson::outlives(own.segments_in(), own.segments_out()) || find(socket).is_some() {
        return;
    }
    // SAFETY: the context of this program.
    let (netns_cookie, socket_cookie) =
        unsafe { (bpf_get_netns_cookie(ctx.ops.cast()), bpf_get_socket_cookie(ctx.ops.cast())) };
    let flags = ctx.cb_flags() & !BPF_SOCK_OPS_RTT_CB_FLAG;
    let _ = ctx.set_cb_flags((flags | BPF_SOCK_OPS_STATE_CB_FLAG) as i32);
    let Some((slot, policy)) = policy_of(netns_cookie) else { return };
    let key = SocketKey { local: own.local(), remote: own.remote(), generation: 0, netns_cookie, socket_cookie };
    let Some(role) = lesson::role(&key) else { return };
    let (sent, received) = (own.sent_base(), own.received_base());
    let id = match role {
        // Its bytes_acked counts the SYN.
        Role::Active => EndId::new(sent.wrapping_add(1), received, role),
        Role::Passive => EndId::new(received, sent, role),
    };
    if record(socket, own, &key, id, slot, policy).is_some() {
        mark(socket);
    }
}
