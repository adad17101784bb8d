//! The endpoint of a Service: any with equal probability, as kube-proxy does it; with affinity the one of the last time.

use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::helpers::generated::{bpf_get_prandom_u32, bpf_ktime_get_ns};
use meshaccel_abi::services::service::{DROPS, halves};
use meshaccel_abi::services::{Affinity, AffinityKey, Backend, Member, Reason, SetSlot};
use meshaccel_decide::services::holds;

use crate::maps::{ma_affinities, ma_backends, ma_members, ma_services};

/// An endpoint and the set that it is of.
#[derive(Clone, Copy)]
pub struct Choice {
    pub backend: Backend,
    pub set: u32,
}

/// Chooses for a socket of this network namespace. Not inlined: its callers have little of the stack left.
#[inline(never)]
pub fn choose(index: u32, netns_cookie: u64, choice: &mut Choice) -> Option<Reason> {
    let Some(service) = ma_services.get_ptr(index) else { return Some(Reason::Changed) };
    // SAFETY: a live value, whose words the daemon writes whole.
    let ((set, count), (timeout, flags)) = unsafe {
        (halves(read_volatile(&raw const (*service).choice)), halves(read_volatile(&raw const (*service).settings)))
    };
    if count == 0 {
        return Some(if flags & DROPS != 0 { Reason::NoLocalEndpoint } else { Reason::NoEndpoint });
    }
    choice.set = set;
    let key = AffinityKey { netns_cookie, service: index, zero: 0 };
    if timeout != 0 && stays(&key, timeout, choice) {
        return None;
    }
    // SAFETY: no arguments.
    let slot = unsafe { bpf_get_prandom_u32() } % count;
    // SAFETY: readable while the program runs (RCU): what is named goes only when nobody can see it any more.
    let Some(backend) = (unsafe { ma_backends.get(SetSlot { set, slot }) }) else { return Some(Reason::Changed) };
    choice.backend = *backend;
    if timeout != 0 {
        let affinity = Affinity { used_at: now(), backend: choice.backend, zero: 0 };
        let _ = ma_affinities.insert(key, affinity, 0);
    }
    None
}

/// Where this client went last, should that be an endpoint of the Service still.
#[inline(always)]
fn stays(key: &AffinityKey, timeout: u32, choice: &mut Choice) -> bool {
    let Some(last) = ma_affinities.get_ptr_mut(key) else { return false };
    let now = now();
    // SAFETY: a live value. The table may give it to another client meanwhile: what was read must be an endpoint of this Service.
    let used_at = unsafe {
        choice.backend = read_volatile(&raw const (*last).backend);
        read_volatile(&raw const (*last).used_at)
    };
    if !holds(now, used_at, timeout) || !is_member(choice) {
        return false;
    }
    // SAFETY: as above; one word.
    unsafe { write_volatile(&raw mut (*last).used_at, now) };
    true
}

/// Is it an endpoint of that set?
#[inline(always)]
pub fn is_member(choice: &Choice) -> bool {
    let member = Member { set: choice.set, backend: choice.backend };
    ma_members.get_ptr(member).is_some()
}

/// The set of a Service now; 0: it has none.
#[inline(always)]
pub fn current_set(index: u32) -> u32 {
    // SAFETY: as above.
    ma_services.get_ptr(index).map_or(0, |service| halves(unsafe { read_volatile(&raw const (*service).choice) }).0)
}

/// CLOCK_MONOTONIC in ns.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: no arguments.
    unsafe { bpf_ktime_get_ns() }
}
