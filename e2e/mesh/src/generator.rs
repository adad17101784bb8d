//! Load generators of somebody else's, in a pod.
//!
//! * [`wrk`] requests a second, latencies, failures; [`h2load`] the same for HTTP/2

pub mod h2load;
pub mod wrk;

use anyhow::{Result, bail};
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
