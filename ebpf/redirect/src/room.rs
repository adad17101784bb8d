//! Room for redirected bytes in a reader's receive buffer.
//!
//! Redirected bytes count against sk_rcvbuf on most kernels, and half of it is left to TCP (see `meshaccel_decide::redirect::verdict`). TCP
//! makes the buffer larger when its application reads quickly, up to tcp_rmem[2]; but it judges by what it receives
//! itself, so the buffer of a redirected socket stays as small as it was, 64 KiB each, and a single large answer would have to take
//! both ways. So it is made larger once, as TCP would: by SO_RCVLOWAT, whose setting makes room for itself unless the
//! application has chosen a size (tcp_set_rcvlowat; by bpf_setsockopt since Linux 6.1, before it nothing happens), and which is
//! set back at once, under the socket's lock.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_setsockopt;
use meshaccel_abi::redirect::Policy;

use crate::maps::offset;
use crate::socket::Own;

/// `context`: what bpf_setsockopt takes of the running program, its context or its socket.
#[inline(always)]
pub fn make(context: *mut c_void, own: Own, policy: &Policy) {
    const SOL_SOCKET: i32 = 1;
    const SO_RCVLOWAT: i32 = 18;
    let wanted = policy.max_bytes.wrapping_mul(2);
    if offset!(rmem_counts) == 0 || own.receive_buffer() >= wanted {
        return;
    }
    let (mut low_water, mut room) = (own.receive_low_water(), wanted as i32);
    // SAFETY: values on the stack.
    unsafe {
        bpf_setsockopt(context, SOL_SOCKET, SO_RCVLOWAT, (&raw mut room).cast(), 4);
        bpf_setsockopt(context, SOL_SOCKET, SO_RCVLOWAT, (&raw mut low_water).cast(), 4);
    }
}
