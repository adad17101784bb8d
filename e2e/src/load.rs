//! Load and what it costs: wrk and h2load in the client pod, and the CPU that the whole machine spent meanwhile.
//!
//! * [`wrk`] requests a second, latencies, failures; [`h2load`] the same for HTTP/2
//! * [`cpu`] busy time of the machine; [`sample`] one measured window and medians; [`compare`] windows in turns
//! * [`pattern`] what two processes of our own do with one another: [`server`] and [`client`] are the processes, on
//!   [`link`]s of TCP or Unix sockets, with bytes from the [`wheel`], which [`flow`] compares; [`exchange`] starts them
//! * [`protocol`] HTTP/1.1, Redis and PostgreSQL, for a client ([`converse`]) of servers of somebody else's
//! * [`grpc`] calls to a service that returns what it is sent; [`echo`] that service, and the same for plain TCP
//! * [`endless`] a load that goes on in a pod while others change things under it

pub mod client;
pub mod compare;
mod converse;
pub mod cpu;
pub mod echo;
pub mod endless;
pub mod exchange;
mod flow;
mod grpc;
pub mod h2load;
mod link;
pub mod pattern;
pub mod protocol;
pub mod sample;
pub mod server;
mod wheel;
pub mod wrk;

use anyhow::{Context, Result, bail};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// What a load generator reported of one run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub requests: u64,
    pub requests_per_second: f64,
    /// Microseconds; `None` from generators that do not report percentiles.
    pub p50_us: Option<f64>,
    pub p99_us: Option<f64>,
    /// Answers with another status than 2xx or 3xx, and connections that failed or timed out.
    pub failures: u64,
}

impl Outcome {
    /// An error unless every request was answered well.
    pub fn check(&self) -> Result<()> {
        if self.failures > 0 || self.requests == 0 {
            bail!("{} of {} requests failed", self.failures, self.requests);
        }
        Ok(())
    }
}

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
