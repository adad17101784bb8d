//! Tracepoints of the kernel.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Opens the tracepoint of entering a system call, as a perf event that counts nothing: what a BPF program is linked to.
pub fn system_call(name: &str) -> io::Result<OwnedFd> {
    const PERF_TYPE_TRACEPOINT: u32 = 2;
    const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;
    let id = id(&format!("events/syscalls/sys_enter_{name}/id"))?;
    // struct perf_event_attr (include/uapi/linux/perf_event.h): type, size, config; 136 bytes.
    let mut attributes = [0u64; 17];
    attributes[0] = u64::from(PERF_TYPE_TRACEPOINT) | (size_of_val(&attributes) as u64) << 32;
    attributes[1] = id;
    // SAFETY: the attributes live through the call. Any task, on CPU 0: programs run for a tracepoint wherever it is hit.
    let descriptor =
        unsafe { libc::syscall(libc::SYS_perf_event_open, attributes.as_ptr(), -1, 0, -1, PERF_FLAG_FD_CLOEXEC) };
    owned(descriptor)
}

/// The number of a tracepoint, from a tracefs that is mounted nowhere: the system's may be absent, or not be in this mount
/// namespace.
fn id(path: &str) -> io::Result<u64> {
    const FSCONFIG_CMD_CREATE: u32 = 6;
    let no_path: *const libc::c_char = std::ptr::null();
    let name: &CStr = c"tracefs";
    // SAFETY: a string that lives through the call, and flags.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, name.as_ptr(), 1) })?;
    // SAFETY: the command takes neither key nor value.
    let made =
        unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), FSCONFIG_CMD_CREATE, no_path, no_path, 0) };
    if made < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor and flags.
    let mount = owned(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), 1, 0) })?;
    let mut text = String::new();
    File::open(format!("/proc/self/fd/{}/{path}", mount.as_raw_fd()))?.read_to_string(&mut text)?;
    text.trim().parse().map_err(|_| io::Error::other(format!("{path} holds {text:?}, not a number")))
}

fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(result as i32) })
}
