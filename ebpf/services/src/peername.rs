//! getpeername(2) gives back what was connected to, in the form in which it was named.

use aya_ebpf::bindings::bpf_sock_addr;
use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;

use crate::address::{Family, V4, V6, endpoint, put};
use crate::connect::ALLOW;
use crate::flows;

#[cgroup_sock_addr(getpeername4)]
pub fn ma_peername4(ctx: SockAddrContext) -> i32 {
    peername::<V4>(ctx.sock_addr)
}

#[cgroup_sock_addr(getpeername6)]
pub fn ma_peername6(ctx: SockAddrContext) -> i32 {
    peername::<V6>(ctx.sock_addr)
}

#[inline(always)]
fn peername<F: Family>(context: *mut bpf_sock_addr) -> i32 {
    let Some(flows) = flows::find(flows::socket(context)) else { return ALLOW };
    // What it is connected to now: connect(AF_UNSPEC) passes by, and so does who connected elsewhere while this was not attached.
    let connected = &flows.connected;
    if flows::is_of(connected, &endpoint::<F>(context)) {
        put::<F>(context, &connected.vip.address, connected.vip.port);
    }
    ALLOW
}
