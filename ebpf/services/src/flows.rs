//! What is kept of a socket: in its storage, and where a connected one is found when its endpoint goes.

use core::ffi::c_void;
use core::ptr::{null_mut, read_volatile, write_volatile};

use aya_ebpf::bindings::{BPF_SK_STORAGE_GET_F_CREATE, bpf_sock_addr};
use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_sk_storage_get};
use meshaccel_abi::services::{Backend, Flow, Flows, Reason, Record, Vip};
use meshaccel_programs::barrier::{add, replace};

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

/// What `look` sees of an entry, as it was at one time. `None`: unused, or being written.
#[inline(always)]
pub fn read<T>(flow: &Flow, look: impl FnOnce(&Flow) -> T) -> Option<T> {
    // SAFETY: a live value. Who writes makes the version odd before and even, and another, after.
    let before = unsafe { read_volatile(&raw const flow.version) };
    if flow.set == 0 || before & 1 != 0 {
        return None;
    }
    let seen = look(flow);
    // SAFETY: as above.
    (unsafe { read_volatile(&raw const flow.version) } == before).then_some(seen)
}

/// Writes an entry, unless somebody else does.
#[inline(always)]
pub fn write(flow: *mut Flow, vip: &Vip, choice: &Choice, service: u32) -> bool {
    // SAFETY: a live value.
    let version = unsafe { read_volatile(&raw const (*flow).version) };
    // SAFETY: as above.
    if version & 1 != 0 || !replace(unsafe { &raw mut (*flow).version }, version, version.wrapping_add(1)) {
        return false;
    }
    // SAFETY: as above; nobody else writes now.
    unsafe {
        write_volatile(&raw mut (*flow).vip, *vip);
        write_volatile(&raw mut (*flow).backend, choice.backend);
        write_volatile(&raw mut (*flow).service, service);
        write_volatile(&raw mut (*flow).set, choice.set);
        write_volatile(&raw mut (*flow).used_at, now());
        // What was written is there for who reads the version.
        replace(&raw mut (*flow).version, version.wrapping_add(1), version.wrapping_add(2));
    }
    true
}

/// It is connected to nothing that was translated, from now on.
#[inline(always)]
pub fn disconnect(context: *mut bpf_sock_addr, flows: &mut Flows, netns_cookie: u64) {
    if flows.connected.set != 0 {
        // SAFETY: a live value.
        unsafe { write_volatile(&raw mut flows.connected.set, 0) };
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
    write(&raw mut flows.connected, vip, choice, service);
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

/// Which entry a socket knows this endpoint by: that of its connection, else the one that it used last.
#[inline(never)]
pub fn known_as(flows: &Flows, backend: &Backend, vip: &mut Vip) -> bool {
    if read(&flows.connected, |flow| is_of(flow, backend, vip)) == Some(true) {
        return true;
    }
    let mut last = 0;
    for entry in &flows.sends {
        let used_at = entry.used_at;
        if used_at > last && read(entry, |flow| is_of(flow, backend, vip)) == Some(true) {
            last = used_at;
        }
    }
    last != 0
}

#[inline(always)]
fn is_of(flow: &Flow, backend: &Backend, vip: &mut Vip) -> bool {
    let is_of = flow.backend == *backend;
    if is_of {
        *vip = flow.vip;
    }
    is_of
}
