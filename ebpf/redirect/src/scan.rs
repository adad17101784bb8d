//! Iterators that do what [`visit`](crate::visit) does, where classifiers may not put sockets into a SOCKHASH, or take them out
//! (from Linux 7.3 on the verifier refuses both). An iterator takes no arguments, so there is one for each purpose. They look at
//! all recorded sockets to find a few; what somebody waits for is done for one socket, by `ma_leave`.
//!
//! Two kinds: over the socket storage, which is to say over recorded sockets, of all namespaces; and where the kernel refuses those,
//! over all TCP sockets of one namespace, for which it goes through the machine's whole table of them.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_seq_write;
use meshaccel_abi::redirect::visit::{RESYNC, SCAN, Scanned};

use crate::iterator::{Meta, StorageIterator, TcpIterator};
use crate::record::find;
use crate::socket::Own;
use crate::visit::look_scanned;

#[unsafe(link_section = "iter/bpf_sk_storage_map")]
#[unsafe(no_mangle)]
pub fn ma_own_scan(ctx: *mut StorageIterator) -> u32 {
    // SAFETY: fields of the context.
    unsafe { scan((*ctx).meta, (*ctx).socket, SCAN) }
}

#[unsafe(link_section = "iter/bpf_sk_storage_map")]
#[unsafe(no_mangle)]
pub fn ma_own_resync(ctx: *mut StorageIterator) -> u32 {
    // SAFETY: fields of the context.
    unsafe { scan((*ctx).meta, (*ctx).socket, RESYNC) }
}

#[unsafe(link_section = "iter/tcp")]
#[unsafe(no_mangle)]
pub fn ma_ns_scan(ctx: *mut TcpIterator) -> u32 {
    // SAFETY: fields of the context.
    unsafe { scan((*ctx).meta, (*ctx).socket, SCAN) }
}

#[unsafe(link_section = "iter/tcp")]
#[unsafe(no_mangle)]
pub fn ma_ns_resync(ctx: *mut TcpIterator) -> u32 {
    // SAFETY: fields of the context.
    unsafe { scan((*ctx).meta, (*ctx).socket, RESYNC) }
}

#[inline(always)]
fn scan(meta: *mut Meta, socket: *mut c_void, purpose: u32) -> u32 {
    let Some(own) = Own::new(socket) else { return 0 };
    let Some(connection) = find(own.pointer()) else { return 0 };
    let id = connection.id;
    let scanned = Scanned { id, outcome: look_scanned(own, connection, purpose) };
    // SAFETY: a field of the context, and a row on the stack.
    unsafe { bpf_seq_write((*meta).seq, (&raw const scanned).cast(), size_of::<Scanned>() as u32) };
    0
}
