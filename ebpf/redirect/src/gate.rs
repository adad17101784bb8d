//! A system call that must not find its socket in the SOCKHASH waits at its beginning until it has left, for a moment.
//!
//! Who makes a descriptor blocking has mostly been told that there is something to read: so redirected bytes are unread, the socket
//! cannot leave before they are read, and the receive call after that may be one that waits (and ends early, should a
//! signal come). So while there is such a socket, and only then, the daemon attaches [`ma_gate`], or its twin, to the calls that receive.

use core::ffi::c_void;
use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::bindings::BPF_RB_AVAIL_DATA;
use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_loop, bpf_ringbuf_query};
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use meshaccel_abi::redirect::connection::STATE_CANDIDATE;
use meshaccel_abi::redirect::{EndId, EndRecord};
use meshaccel_decide::redirect::leaving::waits_for;

use crate::leaving::announce;
use crate::maps::{address, ma_leavers, offset};
use crate::observe::{FIRST, IPPROTO_TCP, argument, end, socket_of};

/// At the beginning of read, readv, recvfrom and recvmsg.
#[tracepoint]
pub fn ma_gate(ctx: TracePointContext) -> u32 {
    let _ = wait_at(argument(&ctx, FIRST));
    0
}

/// The same once more: while the kernel takes a program off a tracepoint, which takes long, it does not let the same be attached.
#[tracepoint]
pub fn ma_gate_again(ctx: TracePointContext) -> u32 {
    let _ = wait_at(argument(&ctx, FIRST));
    0
}

#[inline(always)]
fn wait_at(descriptor: u64) -> Option<()> {
    let (_, socket) = socket_of(descriptor)?;
    if socket.protocol()? != IPPROTO_TCP {
        return None;
    }
    let cookie = socket.cookie()?;
    let (id, record) = end(socket, cookie).or_else(|| end(socket, cookie))?;
    // SAFETY: readable while the program runs (RCU).
    let leaves = unsafe { read_volatile(&raw const (*record).wanted) } != 0;
    if leaves && socket.redirected_queue_empty() == Some(true) {
        leaves_now(&id, record);
    }
    Some(())
}

/// Has the daemon know that a processor waits for this one, and waits until it has left or, when it cannot, until the calls that
/// receive are gated. That takes some hundreds of microseconds; for how long at most, `waits_for` says. Where the daemon cannot run
/// meanwhile, or is not there, the call goes on as it is.
#[inline(always)]
pub fn leaves_now(id: &EndId, record: *mut EndRecord) {
    // SAFETY: readable while the program runs (RCU).
    if unsafe { read_volatile(&raw const (*record).state) } == STATE_CANDIDATE {
        return;
    }
    // SAFETY: as above.
    unsafe { write_volatile(&raw mut (*record).gated, 0) };
    // SAFETY: the map, and a question that the helper knows.
    let unheard = unsafe { bpf_ringbuf_query(address(&ma_leavers), BPF_RB_AVAIL_DATA.into()) };
    announce(id, record);
    if offset!(loops) == 0 {
        return;
    }
    // SAFETY: no arguments.
    let until = unsafe { bpf_ktime_get_ns() }.wrapping_add(waits_for(unheard));
    let mut waiting = Waiting { record, until };
    // SAFETY: a function of the type that the helper calls, and what it is called with.
    unsafe { bpf_loop(ROUNDS, is_over as *mut c_void, (&raw mut waiting).cast(), 0) };
}

/// More than the longest wait has, and fewer than the kernel's most (BPF_MAX_LOOPS, 8 Mi).
const ROUNDS: u32 = 6_000_000;

/// What [`is_over`] is called with.
struct Waiting {
    record: *const EndRecord,
    until: u64,
}

/// 0: go on waiting.
#[inline(never)]
extern "C" fn is_over(_round: u32, waiting: *mut Waiting) -> u64 {
    // SAFETY: the context of the loop, and a value that stays readable while the program runs (RCU).
    let (state, gated, until) = unsafe {
        let record = (*waiting).record;
        (read_volatile(&raw const (*record).state), read_volatile(&raw const (*record).gated), (*waiting).until)
    };
    // SAFETY: no arguments.
    let late = unsafe { bpf_ktime_get_ns() } >= until;
    (state == STATE_CANDIDATE || gated != 0 || late).into()
}

/// The calls that receive are gated: whoever waits for this socket may go on.
#[inline(always)]
pub fn opened(record: *mut EndRecord) {
    // SAFETY: readable while the program runs (RCU).
    unsafe { write_volatile(&raw mut (*record).gated, 1) };
}
