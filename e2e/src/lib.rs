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
//! * [`strangers`] other projects' own tests, outside and inside an accelerated namespace
//! * [`traffic`] byte-exact streams through real sockets
//! * [`wait`] waiting for a condition with a deadline

pub mod bench;
pub mod bpf;
pub mod cgroup;
pub mod cluster;
pub mod conformance;
pub mod connections;
pub mod daemon;
pub mod demo;
pub mod differential;
pub mod interrupt;
pub mod load;
pub mod manifest;
pub mod mesh;
pub mod netns;
pub mod report;
pub mod scale;
pub mod stage;
pub mod strangers;
pub mod traffic;
pub mod wait;
