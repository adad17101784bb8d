//! Tracepoints of the kernel.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use super::detached;

/// The tracepoint of entering a system call.
#[derive(Clone, Copy, Debug)]
pub struct SystemCall(u64);

impl SystemCall {
    /// Looks its number up.
    pub fn find(name: &str) -> io::Result<Self> {
        id(&format!("events/syscalls/sys_enter_{name}/id")).map(Self)
    }

    /// Opens it, as a perf event that counts nothing: what a BPF program is linked to.
    pub fn open(self) -> io::Result<OwnedFd> {
        open(self.0)
    }
}

fn open(id: u64) -> io::Result<OwnedFd> {
    const PERF_TYPE_TRACEPOINT: u32 = 2;
    const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;
    // struct perf_event_attr (include/uapi/linux/perf_event.h): type, size, config; 136 bytes.
    let mut attributes = [0u64; 17];
    attributes[0] = u64::from(PERF_TYPE_TRACEPOINT) | (size_of_val(&attributes) as u64) << 32;
    attributes[1] = id;
    // SAFETY: the attributes live through the call. Any task, on CPU 0: programs run for a tracepoint wherever it is hit.
    let descriptor =
        unsafe { libc::syscall(libc::SYS_perf_event_open, attributes.as_ptr(), -1, 0, -1, PERF_FLAG_FD_CLOEXEC) };
    owned(descriptor)
}

/// The number of a tracepoint.
fn id(path: &str) -> io::Result<u64> {
    let text = detached::read("tracefs", path)?;
    text.trim().parse().map_err(|_| io::Error::other(format!("{path} holds {text:?}, not a number")))
}

fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(result as i32) })
}
