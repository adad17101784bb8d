//! connect(2): the VIP becomes the address of an endpoint, for the life of the connection.

use aya_ebpf::bindings::bpf_sock_addr;
use aya_ebpf::helpers::generated::bpf_set_retval;
use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;
use meshaccel_abi::services::address::{TCP, UDP};
use meshaccel_abi::services::{Backend, Reason};

use crate::address::{Family, V4, V6, named, protocol, put};
use crate::choose::{Choice, choose};
use crate::counters::count;
use crate::{flows, maps, scope};

/// The call goes on.
pub const ALLOW: i32 = 1;
/// It ends, with the errno that was set.
const REFUSE: i32 = 0;
const ECONNREFUSED: i32 = 111;

#[cgroup_sock_addr(connect4)]
pub fn ma_connect4(ctx: SockAddrContext) -> i32 {
    connect::<V4>(ctx.sock_addr)
}

#[cgroup_sock_addr(connect6)]
pub fn ma_connect6(ctx: SockAddrContext) -> i32 {
    connect::<V6>(ctx.sock_addr)
}

#[inline(always)]
fn connect<F: Family>(context: *mut bpf_sock_addr) -> i32 {
    let Some(place) = scope::of(context) else { return ALLOW };
    if let Some(flows) = flows::find(flows::socket(context)) {
        // UDP may connect anew, and TCP after a failure.
        flows::disconnect(context, flows, place.netns_cookie);
    }
    let protocol = protocol(context);
    if protocol != TCP && protocol != UDP {
        return ALLOW;
    }
    let vip = named::<F>(context, protocol);
    let Some(service) = scope::service(&place, &vip) else { return ALLOW };
    let mut choice = Choice { backend: Backend::default(), set: 0 };
    let reason = match choose(service, place.netns_cookie, &mut choice) {
        Some(Reason::NoEndpoint) if protocol == TCP => return refuse(),
        Some(reason) => Some(reason),
        None => flows::connect(context, &place, &vip, &choice, service),
    };
    let Some(reason) = reason else {
        put::<F>(context, &choice.backend.address, choice.backend.port);
        count(if protocol == TCP { Reason::Connected } else { Reason::ConnectedUdp });
        return ALLOW;
    };
    count(reason);
    ALLOW
}

/// As kube-proxy's REJECT has it, and at once.
#[inline(always)]
fn refuse() -> i32 {
    // SAFETY: a static that only the loader wrote, before the program was loaded.
    if unsafe { core::ptr::read_volatile(&raw const maps::CAN_REFUSE) } == 0 {
        count(Reason::CannotRefuse);
        return ALLOW;
    }
    // SAFETY: a number.
    unsafe { bpf_set_retval(-ECONNREFUSED) };
    count(Reason::Refused);
    REFUSE
}
