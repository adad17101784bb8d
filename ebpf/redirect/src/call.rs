//! The system call that is sending. A message of sk_msg does not carry the flags of its send call, and the hooks that see
//! them run for every socket of the node; but sk_msg runs inside the call, so the task's saved registers have them.

use aya_ebpf::helpers::generated::{bpf_get_current_task_btf, bpf_task_pt_regs};
use meshaccel_decide::redirect::demands::MORE;

use crate::maps::offset;
use crate::socket::{load, number};

/// Flags of the running send call, as MSG_*. `None`: it is none of those whose arguments are known (io_uring, a thread of
/// the kernel, a call of another word size).
#[inline(always)]
pub fn flags() -> Option<u32> {
    const SPLICE_F_MORE: u64 = 4;
    // SAFETY: the helpers give the current task and the registers it entered the kernel with; both pointers are known to
    // the verifier.
    let registers = unsafe { bpf_task_pt_regs(bpf_get_current_task_btf()) } as *const u8;
    let number = number(registers, offset!(call_number)) as u32;
    let register = |at| load(registers, at);
    // The frequent ones first.
    if number == offset!(calls.sendto) || number == offset!(calls.sendmmsg) {
        return Some(register(offset!(call_fourth)) as u32);
    }
    if number == offset!(calls.write) || number == offset!(calls.writev) {
        return Some(0);
    }
    if number == offset!(calls.sendmsg) {
        return Some(register(offset!(call_third)) as u32);
    }
    if number == offset!(calls.sendfile) {
        return Some(0);
    }
    if number == offset!(calls.splice) {
        return Some(if register(offset!(call_sixth)) & SPLICE_F_MORE != 0 { MORE } else { 0 });
    }
    None
}
