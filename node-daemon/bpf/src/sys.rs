//! The system calls that no library wraps.
//!
//! * [`bpf`] bpf(2): running a program once, links, pins
//! * [`netns`] network namespaces: cookies, and running something inside
//! * [`files`] what kind of file system a path is on; mounting bpffs
//! * [`trace`] tracepoints; [`detached`] files of file systems that are mounted nowhere; [`sched`] where a thread runs
//! * [`socket`] what std does not tell about a socket; [`memory`] the process' own memory;
//!   [`descriptors`] sockets of other processes

pub mod bpf;
pub mod descriptors;
pub mod detached;
pub mod files;
pub mod memory;
pub mod netns;
pub mod sched;
pub mod socket;
pub mod trace;
pub mod words;

/// Kernel release, as uname(2) gives it.
pub fn kernel_release() -> String {
    nix::sys::utsname::uname().map_or_else(|_| "unknown".into(), |u| u.release().to_string_lossy().into())
}
