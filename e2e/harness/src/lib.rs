//! What all tests and measurements stand on: the daemon under test, pods as network namespaces, byte-exact traffic. It needs no Kubernetes,
//! no Envoy and no asynchronous runtime, so that a test of the kernel programs, and what an emulated machine runs, is built in a minute.
//!
//! * [`netns`] network namespaces that clean up after themselves; [`cgroup`] and [`bpf`] what is in the kernel
//! * [`daemon`] the binary under test, [`manifest`] what it is given, [`connections`] what it lists
//! * [`fixture`] the pods of a test; [`failure`] a test alone on the machine, and why it failed
//! * [`traffic`] byte-exact streams through real sockets; [`content`] of what is sent otherwise
//! * [`wait`] waiting for a condition with a deadline; [`slowness`] how much longer that is on an emulated machine
//! * [`machine`] and [`kernel_log`] what the kernel keeps, and what it complains of
//! * [`parts`] where real programs are; [`interrupt`] Ctrl-C as an error

pub mod bpf;
pub mod cgroup;
pub mod connections;
pub mod content;
pub mod daemon;
pub mod failure;
pub mod fixture;
pub mod interrupt;
pub mod kernel_log;
pub mod machine;
pub mod manifest;
pub mod netns;
pub mod parts;
pub mod slowness;

pub mod traffic;
pub mod wait;
