//! Iterator that writes a [`meshaccel_abi::redirect::ConnectionRow`] for each socket that is recorded, and as often as it
//! is open.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_seq_write};
use meshaccel_abi::redirect::{Connection, EndRecord};

use crate::iterator::FileIterator;
use crate::maps::ma_ends;
use crate::record::refresh;

/// What follows the two structures in a row, in the same order.
#[repr(C)]
struct Tail {
    tcp_sent: u64,
    tcp_received: u64,
    segments_out: u32,
    segments_in: u32,
    tcp_state: u32,
    peer_recorded: u32,
    now: u64,
}

static NO_PEER: [u8; size_of::<EndRecord>()] = [0; size_of::<EndRecord>()];

#[unsafe(link_section = "iter/task_file")]
#[unsafe(no_mangle)]
pub fn ma_list(ctx: *mut FileIterator) -> u32 {
    let Some((own, connection)) = FileIterator::read(ctx) else { return 0 };
    refresh(connection);
    let file = FileIterator::output(ctx);
    let peer = ma_ends.get_ptr(connection.id.peer());
    let tail = Tail {
        tcp_sent: own.bytes_acked(),
        tcp_received: own.bytes_received(),
        segments_out: own.segments_out(),
        segments_in: own.segments_in(),
        tcp_state: u32::from(own.state()),
        peer_recorded: u32::from(peer.is_some()),
        // SAFETY: no arguments.
        now: unsafe { bpf_ktime_get_ns() },
    };
    // Three writes, since a whole row does not fit the stack. The kernel drops a row that does not fit the file's buffer
    // and shows the socket again, so rows are never torn.
    let peer: *const c_void = match peer {
        Some(record) => record.cast(),
        None => NO_PEER.as_ptr().cast(),
    };
    // SAFETY: each pointer is readable for the length that goes with it.
    unsafe {
        bpf_seq_write(file, core::ptr::from_mut(connection).cast(), size_of::<Connection>() as u32);
        bpf_seq_write(file, peer, size_of::<EndRecord>() as u32);
        bpf_seq_write(file, (&raw const tail).cast(), size_of::<Tail>() as u32);
    }
    0
}
