//! Harness of meshaccel's tests, demo and benchmark: pods as network namespaces, real proxies, real bytes.
//!
//! * [`netns`] network namespaces that clean up after themselves
//! * [`mesh`] two pods with real Envoys between them; [`load`] wrk and CPU accounting; [`report`] table and picture
//! * [`demo`] and [`bench`]: what `make demo` and `make bench` run; [`interrupt`] Ctrl-C as an error
//! * [`stage`] what kernel tests stand on; [`daemon`] the binary under test, [`manifest`] what it is given,
//!   [`connections`] what it lists; [`bpf`] and [`cgroup`] what is in the kernel
//! * [`cluster`] a real Kubernetes, and the mesh as its Deployments
//! * [`scale`] what operator and daemon cost where there are many nodes, and many pods: `make scale`
//! * [`conformance`] what a program can see of a connection, on plain TCP and redirected
//! * [`differential`] the same with random programs
//! * [`upstream`] other projects' own tests, outside and inside an accelerated namespace
//! * [`stacks`] real servers and clients of many languages, plain and accelerated
//! * [`soak`] everything at once, for an hour
//! * [`traffic`] byte-exact streams through real sockets
//! * [`guests`] other kernels, booted in emulated machines; [`guest`] what runs inside of one: `make test-kernels`
//! * [`wait`] waiting for a condition with a deadline; [`slowness`] how much longer that is on an emulated machine
//!
//! Without the feature `full` only what a guest needs is built: that takes a minute for another processor, all of it ten.

#[cfg(feature = "full")]
pub mod bench;
pub mod bpf;
pub mod cgroup;
#[cfg(feature = "full")]
pub mod cluster;
#[cfg(feature = "full")]
pub mod conformance;
pub mod connections;
pub mod daemon;
#[cfg(feature = "full")]
pub mod demo;
#[cfg(feature = "full")]
pub mod differential;
pub mod guest;
#[cfg(feature = "full")]
pub mod guests;
#[cfg(feature = "full")]
pub mod interrupt;
#[cfg(feature = "full")]
pub mod load;
pub mod manifest;
#[cfg(feature = "full")]
pub mod mesh;
pub mod netns;
#[cfg(feature = "full")]
pub mod report;
#[cfg(feature = "full")]
pub mod scale;
pub mod slowness;
#[cfg(feature = "full")]
pub mod soak;
#[cfg(feature = "full")]
pub mod stacks;
pub mod stage;
pub mod traffic;
#[cfg(feature = "full")]
pub mod upstream;
pub mod wait;
