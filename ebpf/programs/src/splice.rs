//! Sees who reads TCP sockets with splice(2), before the call reads.
//!
//! splice does not see the redirected queue. Nothing in a socket tells how its reader will read next; so the first call that
//! is seen ends redirection to that socket, and to those of the same port of its pod, for good.

use crate::counters;
use crate::lesson;
use crate::maps::{ma_pods, ma_splice_ports, ma_spliced, ma_splicers, offset};
use crate::socket::Other;
use aya_ebpf::helpers::generated::bpf_get_current_task;
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use core::ptr::{read_volatile, write_volatile};
use meshaccel_abi::connection::SIDE_SIDECAR;
use meshaccel_abi::{Connection, Event, LessonKey, Role};

/// Offset of the first argument, `fd_in`, in the event (format of syscalls/sys_enter_splice).
const DESCRIPTOR: usize = 16;
const IPPROTO_TCP: u16 = 6;

#[tracepoint]
pub fn ma_splice(ctx: TracePointContext) -> u32 {
    see(&ctx);
    0
}

#[inline(always)]
fn see(ctx: &TracePointContext) -> Option<()> {
    // SAFETY: a field of the event.
    let descriptor: u64 = unsafe { ctx.read_at(DESCRIPTOR) }.ok()?;
    let socket = socket_of(descriptor)?;
    if socket.read::<u16>(offset!(protocol))? != IPPROTO_TCP {
        return None;
    }
    let cookie = socket.cookie()?;
    // SAFETY: whether it is there is all that is asked.
    if unsafe { ma_spliced.get(cookie) }.is_some() {
        return None;
    }
    let net: u64 = socket.read(offset!(net))?;
    let netns_cookie: u64 = Other(net).read(offset!(net_cookie))?;
    // SAFETY: only `slot` is read, which never changes while the entry is there.
    let slot = unsafe { ma_pods.get(netns_cookie)?.slot };
    // Which end it is cannot be seen; the port of the end that it is not is a random one.
    let port: u16 = socket.read(offset!(local_port))?;
    let _ = ma_splice_ports.insert(LessonKey { netns_cookie, port, role: Role::Passive as u16, zero: 0 }, 1, 0);
    let port = u16::from_be(socket.read(offset!(remote_port))?);
    let _ = ma_splice_ports.insert(LessonKey { netns_cookie, port, role: Role::Active as u16, zero: 0 }, 1, 0);
    let _ = ma_spliced.insert(cookie, 1, 0);
    let changes = ma_splicers.get_ptr_mut(slot)?;
    // SAFETY: a live value. Two calls at once may add one together; both entries are there by then.
    unsafe { write_volatile(&raw mut (*changes).changes, (*changes).changes.wrapping_add(1)) }
    counters::event(Event::SpliceSeen);
    Some(())
}

/// Is this sender's peer read with splice(2), as far as is known? What was found is kept until something is added for the
/// peer's pod.
#[inline(always)]
pub fn reads(connection: &mut Connection) -> bool {
    // Where nobody can see it, any application may.
    if offset!(splices_seen) == 0 {
        return connection.peer_side != SIDE_SIDECAR;
    }
    // SAFETY: a live value.
    let changes = ma_splicers.get(connection.peer_slot).map_or(0, |of| unsafe { read_volatile(&raw const of.changes) });
    if changes != connection.splice_changes {
        connection.splice_changes = changes;
        // SAFETY: whether they are there is all that is asked.
        let seen = unsafe {
            ma_spliced.get(connection.peer_key.socket_cookie).is_some()
                || ma_splice_ports.get(lesson::of(&connection.peer_key, &connection.id.peer())).is_some()
        };
        connection.peer_splices = seen.into();
    }
    connection.peer_splices != 0
}

/// The `sock` behind a descriptor of the current task; `None`: it is no socket.
#[inline(always)]
fn socket_of(descriptor: u64) -> Option<Other> {
    // SAFETY: no arguments.
    let task = Other(unsafe { bpf_get_current_task() });
    let files: u64 = task.read(offset!(task_files))?;
    let table: u64 = Other(files).read(offset!(files_table))?;
    let size: u32 = Other(table).read(offset!(table_size))?;
    if descriptor >= u64::from(size) {
        return None;
    }
    let descriptors: u64 = Other(table).read(offset!(table_descriptors))?;
    let file: u64 = Other(descriptors.wrapping_add(descriptor * 8)).read(0)?;
    let socket: u64 = Other(file).read(offset!(file_private))?;
    // Any file has private data; only a socket's points back.
    if socket == 0 || Other(socket).read::<u64>(offset!(socket_file))? != file {
        return None;
    }
    let sock: u64 = Other(socket).read(offset!(socket_sock))?;
    Some(Other(sock))
}
