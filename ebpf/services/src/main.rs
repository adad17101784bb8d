//! The kernel programs that translate Service addresses, one object. All run in the call of an application:
//!
//! * [`connect`] connect(2): the VIP becomes the address of an endpoint
//! * [`send`] sendmsg(2) that names an address, of UDP
//! * [`receive`] recvmsg(2) that asks who sent: the endpoint becomes the VIP again
//! * [`peername`] getpeername(2) gives back what was connected to
//! * [`release`] close(2): what was recorded goes
//! * [`choose`] the endpoint; [`flows`] what is kept of a socket; [`scope`] whose sockets these are
//! * [`address`], [`maps`], [`counters`] what they share
//!
//! On the host this is an empty binary, so that `cargo clippy --workspace` reads it.

#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![cfg_attr(not(target_arch = "bpf"), allow(dead_code, unused, reason = "only the BPF build has entry points"))]

mod address;
mod choose;
mod connect;
mod counters;
mod flows;
mod maps;
mod peername;
mod receive;
mod release;
mod scope;
mod send;

meshaccel_programs::object!();
