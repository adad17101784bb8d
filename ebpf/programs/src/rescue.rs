//! Readers that the SOCKHASH serves wrongly leave it:
//!
//! * An application at which bytes wait in the TCP queue. FIONREAD counts the redirected queue only (Linux 6.18.14 and
//!   later): nginx, which asks after each full buffer, is told 0 and waits for an edge that never comes, since nothing more
//!   arrives. So when messages to an application had to take TCP, and it does not read on for a while though nothing else
//!   waits for it, it goes.
//! * A reader that asks for what the redirected queue does not honour (see `meshaccel_decide::demands`): a descriptor that
//!   was non-blocking when its socket was promoted and is blocking now, an option that was set since.
//! * The reader of a stream that is faster over TCP (see `balance.rs`). Its sender follows, being alone.
//!
//! Outside, it is served as any TCP socket, and its reader is woken. In two steps:
//!
//! 1. *hold*: its peer redirects nothing any more;
//! 2. a grace period later (a longer one where it may only be late), when nothing can be on its way and the redirected queue
//!    has been read: out, and the daemon runs `ma_kick` in that network namespace.

use crate::demote;
use crate::iterator::TcpIterator;
use crate::maps::{ma_ends, offset};
use crate::record::{find, forget_gain, mark, refresh};
use crate::socket::{Other, Own};
use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_setsockopt};
use core::ptr::{read_volatile, write_volatile};
use meshaccel_abi::connection::{HOLD, PEER_UNKNOWN, STATE_CANDIDATE};
use meshaccel_abi::visit::{DONE, PENDING, WAKE_PEER};
use meshaccel_abi::{Connection, Reason, SocketKey};
use meshaccel_decide::demands;

/// How long nothing may have been redirected: 20 ms. Between a verdict and the peer's queue lie microseconds.
pub const GRACE: u64 = 20_000_000;

/// How long a reader that works may leave bytes unread, on a machine that is busy or stands still for a moment: 200 ms. Nothing is
/// redirected to it meanwhile.
const READS_ON: u64 = 200_000_000;

/// Nothing is redirected to this sender's reader from now on, and the next pass looks after it.
#[inline(always)]
pub fn hold(sender: &mut Connection) {
    if sender.held_since == 0 {
        // SAFETY: no arguments.
        sender.held_since = unsafe { bpf_ktime_get_ns() };
        mark(sender);
    }
}

/// Must the reader that this sender talks to leave? Asked of every promoted sender, now and then: one that sends nothing
/// does not notice by itself.
#[inline(always)]
pub fn is_due(sender: &Connection) -> bool {
    sender.state != STATE_CANDIDATE
        && sender.peer_state != PEER_UNKNOWN
        && sender.held_since == 0
        && leaves_for(sender, Other(sender.peer_socket)).is_some()
}

/// Why a reader must leave whether or not bytes wait.
#[inline(always)]
fn leaves_for(sender: &Connection, reader: Other) -> Option<Reason> {
    if sender.no_gain != 0 {
        return Reason::from_number(sender.no_gain);
    }
    match demands::reader(&reader.reading(sender.peer_file)?, offset!(blocking_waits) != 0) {
        Err(reason @ (Reason::BlockingReader | Reason::ReaderOptions)) => Some(reason),
        _ => None,
    }
}

/// Looks after the reader that this sender talks to.
#[inline(always)]
pub fn visit(sender: &mut Connection) -> u32 {
    if sender.state == STATE_CANDIDATE || (sender.sender_passed == 0 && sender.held_since == 0) {
        return DONE;
    }
    let reader = Other(sender.peer_socket);
    // A reader that is not in the SOCKHASH (any more) needs nobody to look after it. One that has left and come back is there
    // under another key, which this sender learns when it sends: what it passed before waits there all the same.
    let (there, key) = match ma_ends.get_ptr(sender.id.peer()) {
        // SAFETY: readable while the program runs (RCU).
        Some(record) => unsafe { (read_volatile(&raw const (*record).state) != STATE_CANDIDATE, (*record).key) },
        None => (false, sender.peer_key),
    };
    let same = sender.peer_state != PEER_UNKNOWN && key.socket_cookie == sender.peer_key.socket_cookie;
    let alive = there && same && reader.cookie() == Some(key.socket_cookie);
    let (Some(unread), Some(copied), true) = (reader.unread(), reader.copied_sequence(), alive) else {
        forget_gain(sender);
        settle(sender);
        return DONE;
    };
    let passed = sender.passed.messages as u32;
    let quiet = passed == sender.passed_seen;
    let reads = copied != sender.peer_copied_seen;
    sender.passed_seen = passed;
    sender.peer_copied_seen = copied;
    let leaves_for = leaves_for(sender, reader);
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    if leaves_for.is_none() && unread == 0 {
        // What was being sent when it was promoted has arrived by then.
        let entered = now.wrapping_sub(sender.promoted_at) < GRACE;
        return if quiet && !entered && settle(sender) { DONE } else { PENDING };
    }
    if leaves_for.is_none() && (reads || reader.redirected_queue_empty() != Some(true)) {
        sender.held_since = 0;
        return PENDING;
    }
    let held_for = now.wrapping_sub(sender.held_since);
    let long_enough = if leaves_for.is_some() { GRACE } else { READS_ON };
    if sender.held_since == 0 || held_for >= HOLD - GRACE {
        sender.held_since = now;
    } else if held_for >= long_enough && reader.redirected_queue_empty() == Some(true) {
        take_out(sender, key, leaves_for.unwrap_or(Reason::TakesBulk));
        return WAKE_PEER;
    }
    PENDING
}

/// This socket itself has left, and its reader must be woken.
#[inline(always)]
pub fn must_wake(connection: &Connection) -> bool {
    let Some(record) = ma_ends.get_ptr(connection.id) else { return false };
    // SAFETY: readable while the program runs (RCU).
    unsafe { (*record).kick != 0 }
}

/// Nothing has passed since the last visit, and all is read. False when something passes just now.
#[inline(always)]
fn settle(sender: &mut Connection) -> bool {
    sender.held_since = 0;
    // SAFETY: live values; volatile, so that the count is read after the flag is down.
    let passed = unsafe {
        write_volatile(&raw mut sender.sender_passed, 0);
        read_volatile(&raw const sender.passed.messages) as u32
    };
    let settled = passed == sender.passed_seen;
    if !settled {
        sender.sender_passed = 1;
    }
    settled
}

#[inline(always)]
fn take_out(sender: &mut Connection, key: SocketKey, reason: Reason) {
    demote::peer(sender.id.peer(), key, reason);
    sender.sender_passed = 0;
    sender.held_since = 0;
    forget_gain(sender);
    sender.peer_state = PEER_UNKNOWN;
}

/// Wakes the readers of sockets that were taken out. Setting SO_RCVLOWAT to what it is runs the kernel's own
/// tcp_data_ready (tcp_set_rcvlowat), and an iterator over TCP sockets may do that.
#[unsafe(link_section = "iter/tcp")]
#[unsafe(no_mangle)]
pub fn ma_kick(ctx: *mut TcpIterator) -> u32 {
    // SAFETY: a field of the context.
    let Some(own) = Own::new(unsafe { (*ctx).socket }) else { return 0 };
    let Some(connection) = find(own.pointer()) else { return 0 };
    let Some(record) = ma_ends.get_ptr_mut(connection.id) else { return 0 };
    // SAFETY: this end's own record.
    let kick = unsafe { core::mem::replace(&mut (*record).kick, 0) };
    if kick == 0 {
        return 0;
    }
    refresh(connection);
    // It is a candidate again.
    mark(connection);
    const SOL_SOCKET: i32 = 1;
    const SO_RCVLOWAT: i32 = 18;
    let mut low_water = own.receive_low_water();
    // SAFETY: a value on the stack.
    unsafe { bpf_setsockopt(own.pointer(), SOL_SOCKET, SO_RCVLOWAT, (&raw mut low_water).cast(), 4) };
    0
}
