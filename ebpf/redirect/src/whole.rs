//! A message that goes on to TCP goes there in one piece.
//!
//! The kernel gives TCP such a message page by page, each in a send of its own (tcp_bpf_push). Where Nagle's algorithm is on, the end
//! of the message then waits until what is before it is acknowledged, and a reader that is about to answer delays that by 40 ms. On
//! plain TCP the message would have been one send, and on the loopback device one segment.

use crate::socket::Own;
use aya_ebpf::bindings::sk_msg_md;
use aya_ebpf::helpers::generated::bpf_msg_pull_data;

/// A segment on the loopback device (65,483 bytes) fits. Whoever has received more than that acknowledges at once, so if the last so
/// many bytes lie side by side, whatever is before them may be in pieces.
const END: u32 = 64 * 1024;

/// Copies the end of the message into pages that lie side by side, if it does not lie so and that matters. Should there be no such
/// pages, it stays as it is.
#[inline(always)]
pub fn make_whole(msg: *mut sk_msg_md, own: Own, size: u32) {
    if own.waits_for_acknowledgement() {
        // SAFETY: the context of the program; the helper fails rather than do harm.
        unsafe { bpf_msg_pull_data(msg, size.saturating_sub(END), size, 0) };
    }
}
