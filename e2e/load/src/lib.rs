//! Load of our own: processes that send one another bytes in patterns, on every kind of connection that a mesh carries, with each byte
//! compared; in pods, and in the image of the cluster's mesh.
//!
//! * [`pattern`] what two processes do with one another: [`server`] and [`client`] are the processes, on [`link`]s of TCP or Unix
//!   sockets, with bytes from the [`wheel`], which [`flow`] compares; [`exchange`] starts them
//! * [`protocol`] HTTP/1.1, Redis and PostgreSQL, for a client ([`converse`]) of servers of somebody else's
//! * [`grpc`] calls to a service that returns what it is sent; [`echo`] that service, and the same for plain TCP
//! * [`endless`] a load that goes on in a pod while others change things under it
//! * [`cpu`] busy time of the machine

pub mod client;
mod converse;
pub mod cpu;
pub mod echo;
pub mod endless;
pub mod exchange;
mod flow;
mod grpc;
mod link;
pub mod pattern;
pub mod protocol;
pub mod server;
mod wheel;

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// Binds this process to one of the processors that it may use. Two processes of a load on one processor: a wake-up
/// across two can cost ten times as much, and the scheduler would choose anew in every window.
fn pin(processor: Option<usize>) -> Result<()> {
    let Some(processor) = processor else { return Ok(()) };
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    let all: Vec<usize> = (0..CpuSet::count()).filter(|&cpu| allowed.is_set(cpu).unwrap_or(false)).collect();
    let mut one = CpuSet::new();
    one.set(*all.get(processor % all.len().max(1)).context("no processor is allowed")?)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &one)?)
}

/// A clock that all processes of the machine share.
fn monotonic_ns() -> Result<u64> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    Ok(now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64)
}
