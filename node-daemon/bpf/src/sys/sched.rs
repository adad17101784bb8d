//! Where and how long a thread runs.

use std::io;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The calling thread.
const SELF: Pid = Pid::from_raw(0);

/// The processors that this process may use.
pub fn processors() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(SELF)?;
    Ok((0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect())
}

/// The calling thread runs there from now on.
pub fn stay_on(processor: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(processor)?;
    Ok(sched_setaffinity(SELF, &set)?)
}

/// The calling thread runs as soon as it has something to do, before all that are not real-time threads (SCHED_FIFO, which takes
/// CAP_SYS_NICE). Threads that it starts do not.
pub fn real_time() -> io::Result<()> {
    const RESET_ON_FORK: u64 = 1;
    set(&Attributes { policy: libc::SCHED_FIFO as u32, flags: RESET_ON_FORK, priority: 1, ..Attributes::NONE })
}

/// The calling thread takes a processor for so long at most when others want it, and gets it sooner for that (Linux 6.12; before,
/// this changes nothing).
pub fn short_slices(slice: Duration) -> io::Result<()> {
    let runtime = u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX);
    set(&Attributes { policy: libc::SCHED_OTHER as u32, runtime, ..Attributes::NONE })
}

/// `struct sched_attr` (include/uapi/linux/sched/types.h), as of Linux 3.14.
#[repr(C)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

impl Attributes {
    const NONE: Self = Self {
        size: size_of::<Self>() as u32,
        policy: 0,
        flags: 0,
        nice: 0,
        priority: 0,
        runtime: 0,
        deadline: 0,
        period: 0,
    };
}

fn set(attributes: &Attributes) -> io::Result<()> {
    // SAFETY: the kernel reads the attributes, whose size they tell.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, std::ptr::from_ref(attributes), 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
