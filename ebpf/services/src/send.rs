//! sendmsg(2) of UDP that names an address, connected or not: the VIP becomes an endpoint's, the same one while datagrams flow.

use aya_ebpf::bindings::bpf_sock_addr;
use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;
use meshaccel_abi::services::address::UDP;
use meshaccel_abi::services::scope::BESIDE_KUBE_PROXY;
use meshaccel_abi::services::{Backend, Flow, Flows, Reason, Vip};
use meshaccel_decide::services::flow::{Seen, awaits, goes_on, is_free};

use crate::address::{Family, V4, V6, named, protocol, put};
use crate::choose::{Choice, choose, current_set, is_member, now};
use crate::connect::ALLOW;
use crate::counters::count;
use crate::{flows, scope};

#[cgroup_sock_addr(sendmsg4)]
pub fn ma_sendmsg4(ctx: SockAddrContext) -> i32 {
    send::<V4>(ctx.sock_addr)
}

#[cgroup_sock_addr(sendmsg6)]
pub fn ma_sendmsg6(ctx: SockAddrContext) -> i32 {
    send::<V6>(ctx.sock_addr)
}

#[inline(always)]
fn send<F: Family>(context: *mut bpf_sock_addr) -> i32 {
    // UDP-Lite has these hooks, too.
    if protocol(context) != UDP {
        return ALLOW;
    }
    let Some(place) = scope::of(context) else { return ALLOW };
    let vip = named::<F>(context, UDP);
    let Some(service) = scope::service(&place, &vip) else { return ALLOW };
    let Some(flows) = flows::begin(flows::socket(context)) else {
        count(Reason::StorageFailed);
        return ALLOW;
    };
    let mut choice = Choice { backend: Backend::default(), set: 0 };
    let reason = match goes_on_to(flows, &vip, service, &mut choice) {
        true => None,
        false => choose(service, place.netns_cookie, &mut choice).or_else(|| {
            let beside = place.scope.flags & BESIDE_KUBE_PROXY != 0;
            keep(flows, &vip, service, &choice, beside)
        }),
    };
    let Some(reason) = reason else {
        put::<F>(context, &choice.backend.address, choice.backend.port);
        count(Reason::Sent);
        return ALLOW;
    };
    count(reason);
    ALLOW
}

#[inline(always)]
fn seen(flow: &Flow, vip: &Vip) -> Seen {
    Seen { is_used: flow.set != 0, is_of_vip: flow.vip == *vip, used_at: flow.used_at }
}

/// The endpoint that this socket sends to by that VIP, if it is one still. Not inlined: the stack is too small for all at once.
#[inline(never)]
fn goes_on_to(flows: &mut Flows, vip: &Vip, service: u32, choice: &mut Choice) -> bool {
    let now = now();
    let Some(flow) = flows.sends.iter_mut().find(|flow| goes_on(seen(flow, vip), now)) else { return false };
    *choice = Choice { backend: flow.backend, set: current_set(service) };
    if choice.set != flow.set && !is_member(choice) {
        return false;
    }
    (flow.used_at, flow.set) = (now, choice.set);
    true
}

/// Keeps a choice, so that answers are told as the VIP's. A reason: they could not be.
#[inline(never)]
fn keep(flows: &mut Flows, vip: &Vip, service: u32, choice: &Choice, beside_kube_proxy: bool) -> Option<Reason> {
    let now = now();
    let mut free: Option<&mut Flow> = None;
    let mut is_of_vip = false;
    for flow in &mut flows.sends {
        let seen = seen(flow, vip);
        if beside_kube_proxy && flow.backend == choice.backend && awaits(seen, now) {
            return Some(Reason::Ambiguous);
        }
        if is_free(seen, now) && (free.is_none() || (seen.is_of_vip && !is_of_vip)) {
            is_of_vip = seen.is_of_vip;
            free = Some(flow);
        }
    }
    let Some(flow) = free else { return Some(Reason::FlowsFull) };
    flows::write(flow, vip, choice, service);
    None
}
