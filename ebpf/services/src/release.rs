//! close(2): what was recorded of a connected socket goes. Its storage goes with it by itself.

use aya_ebpf::helpers::generated::{bpf_get_netns_cookie, bpf_get_socket_cookie};
use aya_ebpf::macros::cgroup_sock;
use aya_ebpf::programs::SockContext;

use crate::connect::ALLOW;
use crate::flows;

#[cgroup_sock(sock_release)]
pub fn ma_release(ctx: SockContext) -> i32 {
    let socket = ctx.sock.cast();
    if flows::find(socket).is_some_and(|flows| flows.connected.set != 0) {
        // SAFETY: the context of this program.
        let (cookie, netns_cookie) = unsafe { (bpf_get_socket_cookie(socket), bpf_get_netns_cookie(socket)) };
        flows::forget(cookie, netns_cookie);
    }
    ALLOW
}
