//! What is kept of a socket: in its storage, and where a connected one is found when its endpoint goes.
//!
//! The kernel holds the socket's lock while a program of connect, sendmsg, recvmsg or getpeername runs (`BPF_CGROUP_RUN_SA_PROG_LOCK`, and
//! TCP's connect has it anyway): those of one socket come one after the other, and nothing else writes its storage.

use core::ffi::c_void;
use core::ptr::null_mut;

use aya_ebpf::bindings::{BPF_SK_STORAGE_GET_F_CREATE, bpf_sock_addr};
use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_sk_storage_get};
use meshaccel_abi::services::{Backend, Flow, Flows, Reason, Record, Vip};
use meshaccel_programs::barrier::add;

use crate::choose::{Choice, now};
use crate::maps::{ma_flows, ma_held, ma_svc_records, pointer};
use crate::scope::Place;

/// The socket of a call.
#[inline(always)]
pub fn socket(context: *mut bpf_sock_addr) -> *mut c_void {
    // SAFETY: a field of the context.
    unsafe { (*context).__bindgen_anon_1.sk.cast() }
}

/// What is kept of it, if anything is.
#[inline(always)]
pub fn find(socket: *mut c_void) -> Option<&'static mut Flows> {
    storage(socket, 0)
}

/// The same, begun with nothing. `None`: the kernel gives no memory.
#[inline(always)]
pub fn begin(socket: *mut c_void) -> Option<&'static mut Flows> {
    storage(socket, BPF_SK_STORAGE_GET_F_CREATE.into())
}

#[inline(always)]
fn storage(socket: *mut c_void, flags: u64) -> Option<&'static mut Flows> {
    if socket.is_null() {
        return None;
    }
    // SAFETY: the helper takes any full socket; the value lives as long as the program runs (RCU).
    unsafe { bpf_sk_storage_get(pointer(&ma_flows), socket, null_mut(), flags).cast::<Flows>().as_mut() }
}

/// Writes an entry.
#[inline(always)]
pub fn write(flow: &mut Flow, vip: &Vip, choice: &Choice, service: u32) {
    *flow = Flow { vip: *vip, backend: choice.backend, service, set: choice.set, used_at: now() };
}

/// It is connected to nothing that was translated, from now on.
#[inline(always)]
pub fn disconnect(context: *mut bpf_sock_addr, flows: &mut Flows, netns_cookie: u64) {
    if flows.connected.set != 0 {
        flows.connected.set = 0;
        // SAFETY: the context of this program.
        forget(unsafe { bpf_get_socket_cookie(context.cast()) }, netns_cookie);
    }
}

/// Records what a socket connects to. A reason: it cannot be, and the socket had better be left to kube-proxy.
#[inline(always)]
pub fn connect(context: *mut bpf_sock_addr, place: &Place, vip: &Vip, choice: &Choice, service: u32) -> Option<Reason> {
    let Some(flows) = begin(socket(context)) else { return Some(Reason::StorageFailed) };
    let Some(held) = ma_held.get_ptr_mut(place.netns_cookie) else { return Some(Reason::RecordsFull) };
    if add(held, 1) >= place.scope.quota.into() {
        add(held, u64::MAX);
        return Some(Reason::RecordsFull);
    }
    // SAFETY: the context of this program.
    let cookie = unsafe { bpf_get_socket_cookie(context.cast()) };
    let record = Record { netns_cookie: place.netns_cookie, connected_at: now(), vip: *vip, backend: choice.backend };
    if ma_svc_records.insert(cookie, record, 0).is_err() {
        add(held, u64::MAX);
        return Some(Reason::RecordsFull);
    }
    write(&mut flows.connected, vip, choice, service);
    None
}

/// What was recorded of a connected socket goes.
#[inline(always)]
pub fn forget(cookie: u64, netns_cookie: u64) {
    if ma_svc_records.remove(cookie).is_ok()
        && let Some(held) = ma_held.get_ptr_mut(netns_cookie)
    {
        add(held, u64::MAX);
    }
}

/// The VIP that a socket knows this endpoint by: that of its connection, else the one that it used last.
#[inline(never)]
pub fn known_as(flows: &Flows, backend: &Backend, vip: &mut Vip) -> bool {
    if is_of(&flows.connected, backend) {
        *vip = flows.connected.vip;
        return true;
    }
    let mut last = 0;
    for flow in flows.sends.iter().filter(|flow| is_of(flow, backend)) {
        if flow.used_at > last {
            last = flow.used_at;
            *vip = flow.vip;
        }
    }
    last != 0
}

/// Does it go to this endpoint?
#[inline(always)]
pub fn is_of(flow: &Flow, backend: &Backend) -> bool {
    flow.set != 0 && flow.backend == *backend
}
