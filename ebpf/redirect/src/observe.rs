//! Tracepoints of system calls: they see who reads TCP sockets with splice(2), who asks how many bytes wait (FIONREAD), and who
//! makes a descriptor blocking, before the call does it. [`enter`](crate::enter) has the same where the kernel has better.
//!
//! A socket that must not be in the SOCKHASH from then on is asked to leave, and the call waits for that for a moment, where it
//! would be answered wrongly. A port's first such call is the only one that finds its socket there: see [`gate`](crate::gate) for those that
//! come with redirected bytes unread.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::read_volatile;

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::generated::{bpf_get_current_task, bpf_probe_read_user};
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use meshaccel_abi::At;
use meshaccel_abi::redirect::habit::{ASKS, SPLICES, TOGGLES};
use meshaccel_abi::redirect::{EndId, EndRecord, PortKey, Role};
use meshaccel_decide::redirect::habits::may_enter;

use crate::barrier::set;
use crate::gate::leaves_now;
use crate::habits::{self, learn};
use crate::leaving::want;
use crate::maps::{ma_ends, ma_pods, offset};
use crate::port_history;
use crate::socket::Other;

/// Offsets of the arguments in the events (format of syscalls/sys_enter_*).
pub const FIRST: usize = 16;
const SECOND: usize = 24;
const THIRD: usize = 32;
pub const IPPROTO_TCP: u16 = 6;
const O_NONBLOCK: u32 = 0o4000;

#[tracepoint]
pub fn ma_splice(ctx: TracePointContext) -> u32 {
    see(&ctx, SPLICES);
    0
}

#[tracepoint]
pub fn ma_ioctl(ctx: TracePointContext) -> u32 {
    if let Some(habit) = of_ioctl(argument(&ctx, SECOND) as u32, argument(&ctx, THIRD)) {
        see(&ctx, habit);
    }
    0
}

#[tracepoint]
pub fn ma_fcntl(ctx: TracePointContext) -> u32 {
    if let Some(habit) = of_fcntl(argument(&ctx, SECOND) as u32, argument(&ctx, THIRD)) {
        see(&ctx, habit);
    }
    0
}

/// What an ioctl(2) tells of its caller.
#[inline(always)]
pub fn of_ioctl(command: u32, argument: u64) -> Option<u32> {
    const FIONREAD: u32 = 0x541b;
    const FIONBIO: u32 = 0x5421;
    match command {
        FIONREAD => Some(ASKS),
        FIONBIO => {
            let mut on = MaybeUninit::<i32>::zeroed();
            // SAFETY: it may be given any address; it fails instead of faulting. The value is read in any case, as in `Other::read`.
            let (failed, on) = unsafe {
                let failed = bpf_probe_read_user(on.as_mut_ptr().cast(), 4, argument as *const c_void);
                (failed != 0, read_volatile(on.as_ptr()))
            };
            if !failed && on == 0 { Some(TOGGLES) } else { None }
        }
        _ => None,
    }
}

/// What a fcntl(2) tells of its caller.
#[inline(always)]
pub fn of_fcntl(command: u32, argument: u64) -> Option<u32> {
    const F_SETFL: u32 = 4;
    if command == F_SETFL && argument as u32 & O_NONBLOCK == 0 { Some(TOGGLES) } else { None }
}

#[inline(always)]
pub fn argument(ctx: &TracePointContext, offset: usize) -> u64 {
    // SAFETY: a field of the event.
    unsafe { read_volatile(ctx.as_ptr().cast::<u8>().add(offset).cast()) }
}

#[inline(always)]
fn see(ctx: &TracePointContext, habit: u32) {
    see_descriptor(argument(ctx, FIRST), habit);
}

/// Not inlined: two of the programs have two ways here.
#[inline(never)]
fn see_descriptor(descriptor: u64, habit: u32) -> u32 {
    socket_of(descriptor).and_then(|(file, socket)| look(file, socket, habit)).unwrap_or(0)
}

/// The application is about to do something to the socket behind this file.
#[inline(always)]
pub fn look(file: Other, socket: Other, habit: u32) -> Option<u32> {
    if socket.protocol()? != IPPROTO_TCP {
        return None;
    }
    // One that is blocking already is made nothing else.
    if habit == TOGGLES && file.read::<u32>(offset!(file_flags))? & O_NONBLOCK == 0 {
        return None;
    }
    let net: u64 = socket.read(offset!(net))?;
    let netns_cookie: u64 = Other(net).read(offset!(net_cookie))?;
    // SAFETY: only `slot` is read, which never changes while the entry is there.
    let slot = unsafe { ma_pods.get(netns_cookie)?.slot };
    let cookie = socket.cookie()?;
    // It may have received just now, between two of the reads.
    let end = end(socket, cookie).or_else(|| end(socket, cookie));
    // One that has received nothing yet is being set up: so does a connect with a time-out, after which it stays as it is.
    let Some((id, record)) = end else {
        if habit != TOGGLES || has_received(socket)? {
            learn(slot, port_of_unknown(socket, netns_cookie, habit)?, habit);
        }
        return None;
    };
    // SAFETY: readable while the program runs (RCU).
    let redirected_to = unsafe { read_volatile(&raw const (*record).redirected_to) };
    let is_set_up = habit == TOGGLES && redirected_to == 0 && !has_received(socket)?;
    if !is_set_up {
        // SAFETY: readable while the program runs (RCU). The addition orders: what is promoted from now on looks at it,
        // and what is promoted already is seen below.
        set(unsafe { &raw mut (*record).habits }, habit);
        // SAFETY: the key changes in its generation only.
        learn(slot, port_history::of(unsafe { &(*record).key }, &id), habit);
    }
    let reason = may_enter(habit, &habits::kernel()).err()?;
    want(&id, reason as u32);
    // Redirected bytes are counted, and what is unread cannot leave.
    if habit == TOGGLES || socket.redirected_queue_empty() == Some(true) {
        leaves_now(&id, record);
    }
    None
}

/// Has anything come through TCP?
#[inline(always)]
fn has_received(socket: Other) -> Option<bool> {
    Some(socket.read::<u64>(offset!(bytes_received))? != 0)
}

/// The end that a socket is, if it is recorded. Which of the two cannot be seen: an active end's bytes_acked counts its SYN.
#[inline(always)]
pub fn end(socket: Other, cookie: u64) -> Option<(EndId, *mut EndRecord)> {
    let acked: u64 = socket.read(offset!(bytes_acked))?;
    let received: u64 = socket.read(offset!(bytes_received))?;
    let sent_base = socket.read::<u32>(offset!(snd_una))?.wrapping_sub(acked as u32);
    let received_base = socket.read::<u32>(offset!(rcv_nxt))?.wrapping_sub(received as u32);
    let passive = EndId::at(Role::Passive, sent_base, received_base);
    if let Some(record) = ma_ends.get_ptr_mut(passive) {
        // SAFETY: readable while the program runs (RCU).
        if unsafe { (*record).key.socket_cookie } == cookie {
            return Some((passive, record));
        }
    }
    let active = EndId::at(Role::Active, sent_base.wrapping_add(1), received_base);
    let record = ma_ends.get_ptr_mut(active)?;
    // SAFETY: as above.
    if unsafe { (*record).key.socket_cookie } == cookie { Some((active, record)) } else { None }
}

/// The port of a connection that is not recorded: the one that is not of the range from which the kernel picks (32768 and
/// higher, by default). Where the two look alike (a server on a picked port, a wider range) a client's own port may be taken for it,
/// and so many of these would be remembered that all ports of the pod were suspected. So only of what may be seen too late the
/// next time: redirected bytes that wait are lost to splice(2), and to receive calls with such flags; who asks or toggles is served
/// rightly whenever it is seen.
#[inline(always)]
fn port_of_unknown(socket: Other, netns_cookie: u64, habit: u32) -> Option<PortKey> {
    const PICKED: u16 = 32_768;
    let local: u16 = socket.read(offset!(local_port))?;
    let remote = u16::from_be(socket.read(offset!(remote_port))?);
    if (local < PICKED) == (remote < PICKED) && habit & (ASKS | TOGGLES) != 0 {
        return None;
    }
    let (port, role) = if local < PICKED || remote >= PICKED { (local, Role::Passive) } else { (remote, Role::Active) };
    Some(PortKey { netns_cookie, port, role: role as u16, zero: 0 })
}

/// The file and the `sock` behind a descriptor of the current task; `None`: it is no socket.
#[inline(always)]
pub fn socket_of(descriptor: u64) -> Option<(Other, Other)> {
    // SAFETY: no arguments.
    let task = Other(unsafe { bpf_get_current_task() });
    let files: u64 = task.read(offset!(task_files))?;
    let table: u64 = Other(files).read(offset!(files_table))?;
    let size: u32 = Other(table).read(offset!(table_size))?;
    if descriptor >= u64::from(size) {
        return None;
    }
    let descriptors: u64 = Other(table).read(offset!(table_descriptors))?;
    behind(Other(descriptors.wrapping_add(descriptor * 8)).read(At::BEGIN)?)
}

/// The file and the `sock` behind it; `None`: it is no socket.
#[inline(always)]
pub fn behind(file: u64) -> Option<(Other, Other)> {
    let socket: u64 = Other(file).read(offset!(file_private))?;
    // Any file has private data; only a socket's points back.
    if socket == 0 || Other(socket).read::<u64>(offset!(socket_file))? != file {
        return None;
    }
    let sock: u64 = Other(socket).read(offset!(socket_sock))?;
    Some((Other(file), Other(sock)))
}
