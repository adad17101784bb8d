//! The system calls that no library wraps. The only `unsafe` code of the daemon.
//!
//! * [`bpf`] bpf(2): running a program once, links, pins
//! * [`netns`] network namespaces: cookies, and running something inside
//! * [`files`] what kind of file system a path is on; mounting bpffs
//! * [`trace`] tracepoints
//! * [`socket`] what std does not tell about a socket; [`memory`] the process' own memory

pub mod bpf;
pub mod files;
pub mod memory;
pub mod netns;
pub mod socket;
pub mod trace;
