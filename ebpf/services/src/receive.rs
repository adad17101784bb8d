//! recvmsg(2) of UDP that asks who sent: an answer of an endpoint is one of the VIP that the application named.

use aya_ebpf::bindings::bpf_sock_addr;
use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;
use meshaccel_abi::services::{Reason, Vip};

use crate::address::{Family, V4, V6, endpoint, put};
use crate::connect::ALLOW;
use crate::counters::count;
use crate::flows;

#[cgroup_sock_addr(recvmsg4)]
pub fn ma_recvmsg4(ctx: SockAddrContext) -> i32 {
    receive::<V4>(ctx.sock_addr)
}

#[cgroup_sock_addr(recvmsg6)]
pub fn ma_recvmsg6(ctx: SockAddrContext) -> i32 {
    receive::<V6>(ctx.sock_addr)
}

#[inline(always)]
fn receive<F: Family>(context: *mut bpf_sock_addr) -> i32 {
    let Some(flows) = flows::find(flows::socket(context)) else { return ALLOW };
    let mut vip = Vip::default();
    if flows::known_as(flows, &endpoint::<F>(context), &mut vip) {
        put::<F>(context, &vip.address, vip.port);
        count(Reason::Answered);
    }
    ALLOW
}
