//! Iterators over the TCP sockets of one network namespace that do what [`visit`](crate::visit) does, where classifiers may not put
//! sockets into a SOCKHASH, or take them out (from Linux 7.3 on the verifier refuses both). An iterator takes no arguments, so
//! there is one for each purpose. They look at all of a namespace's sockets to find a few: slower, and the same decisions.

use crate::iterator::TcpIterator;
use crate::record::find;
use crate::socket::Own;
use crate::visit::look_at;
use aya_ebpf::helpers::generated::bpf_seq_write;
use meshaccel_abi::visit::{GATED, LEAVE, PASS, REVIEW, Scanned};

#[unsafe(link_section = "iter/tcp")]
#[unsafe(no_mangle)]
pub fn ma_scan_pass(ctx: *mut TcpIterator) -> u32 {
    scan(ctx, PASS)
}

#[unsafe(link_section = "iter/tcp")]
#[unsafe(no_mangle)]
pub fn ma_scan_review(ctx: *mut TcpIterator) -> u32 {
    scan(ctx, REVIEW)
}

#[unsafe(link_section = "iter/tcp")]
#[unsafe(no_mangle)]
pub fn ma_scan_leave(ctx: *mut TcpIterator) -> u32 {
    scan(ctx, LEAVE)
}

#[unsafe(link_section = "iter/tcp")]
#[unsafe(no_mangle)]
pub fn ma_scan_gated(ctx: *mut TcpIterator) -> u32 {
    scan(ctx, GATED)
}

#[inline(always)]
fn scan(ctx: *mut TcpIterator, purpose: u32) -> u32 {
    // SAFETY: a field of the context.
    let Some(own) = Own::new(unsafe { (*ctx).socket }) else { return 0 };
    let Some(connection) = find(own.pointer()) else { return 0 };
    let id = connection.id;
    let scanned = Scanned { id, outcome: look_at(own, connection, purpose) };
    // SAFETY: fields of the context, and a row on the stack.
    unsafe { bpf_seq_write((*(*ctx).meta).seq, (&raw const scanned).cast(), size_of::<Scanned>() as u32) };
    0
}
