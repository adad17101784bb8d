//! Iterator over the TCP sockets of one namespace: wakes the readers of sockets that left the SOCKHASH with bytes waiting in
//! their TCP queue, and says which they are. A reader that is told of bytes once (EPOLLET) may have been told before it could see them.

use crate::iterator::TcpIterator;
use crate::maps::{ma_ends, offset};
use crate::record::{find, mark, refresh};
use crate::socket::Own;
use aya_ebpf::helpers::generated::{bpf_seq_write, bpf_setsockopt};

/// Setting SO_RCVLOWAT to what it is runs the kernel's own tcp_data_ready (tcp_set_rcvlowat, by bpf_setsockopt since Linux 6.1),
/// and an iterator over TCP sockets may do that.
#[unsafe(link_section = "iter/tcp")]
#[unsafe(no_mangle)]
pub fn ma_wake_readers(ctx: *mut TcpIterator) -> u32 {
    // SAFETY: a field of the context.
    let Some(own) = Own::new(unsafe { (*ctx).socket }) else { return 0 };
    let Some(connection) = find(own.pointer()) else { return 0 };
    let Some(record) = ma_ends.get_ptr_mut(connection.id) else { return 0 };
    // SAFETY: this end's own record.
    let wake_readers = unsafe { core::mem::replace(&mut (*record).wake_reader, 0) };
    if wake_readers == 0 {
        return 0;
    }
    refresh(connection);
    // It is a candidate again.
    mark(connection);
    if offset!(wakes) != 0 {
        const SOL_SOCKET: i32 = 1;
        const SO_RCVLOWAT: i32 = 18;
        let mut low_water = own.receive_low_water();
        // SAFETY: a value on the stack.
        unsafe { bpf_setsockopt(own.pointer(), SOL_SOCKET, SO_RCVLOWAT, (&raw mut low_water).cast(), 4) };
    }
    let cookie = connection.key.socket_cookie;
    // SAFETY: fields of the context, and a value on the stack.
    unsafe { bpf_seq_write((*(*ctx).meta).seq, (&raw const cookie).cast(), size_of::<u64>() as u32) };
    0
}
