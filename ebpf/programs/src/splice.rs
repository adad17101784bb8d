//! Sees who reads TCP sockets with splice(2), before the call reads.
//!
//! splice does not see the redirected queue. Nothing in a socket tells how its reader will read next; so the first call that
//! is seen in a pod ends redirection towards that side of the pod, for good. The pod's entry in `ma_splicers` is read for
//! every message.

use crate::counters;
use crate::maps::{ma_pods, ma_policies, ma_spliced, ma_splicers, offset};
use crate::socket::Other;
use aya_ebpf::helpers::generated::bpf_get_current_task;
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use meshaccel_abi::policy::{NO_UID, SPLICER_APP, SPLICER_SIDECAR};
use meshaccel_abi::{Event, Policy};

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
    let net: u64 = socket.read(offset!(net))?;
    let netns_cookie: u64 = Other(net).read(offset!(net_cookie))?;
    // SAFETY: only `slot` is read, which never changes while the entry is there.
    let slot = unsafe { ma_pods.get(netns_cookie)?.slot };
    let policy = ma_policies.get(slot)?;
    let sides = sides(policy, socket.read(offset!(uid))?);
    let seen = ma_splicers.get_ptr_mut(slot)?;
    // SAFETY: a value of the array. Two calls at once may each miss the other's bit; the next call sets it.
    unsafe {
        if (*seen).netns_cookie == netns_cookie {
            (*seen).sides |= sides;
        } else {
            (*seen).sides = sides;
            (*seen).netns_cookie = netns_cookie;
        }
    }
    let _ = ma_spliced.insert(socket.cookie()?, 1, 0);
    counters::event(Event::SpliceSeen);
    Some(())
}

/// The sidecar is told by its uid; where it has none, nobody knows whose socket it is.
#[inline(always)]
fn sides(policy: &Policy, uid: u32) -> u32 {
    let [first, second] = policy.proxy_uids;
    if first == NO_UID && second == NO_UID {
        return SPLICER_APP | SPLICER_SIDECAR;
    }
    if uid == first || uid == second { SPLICER_SIDECAR } else { SPLICER_APP }
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
