//! CPU time that the whole machine was busy: all time that was not idle time, from /proc/stat.
//!
//! Nothing less is honest: what redirection saves is mostly softirq time, which belongs to no process, and what the
//! daemon and its programs cost must count against it. The price is that other work on the machine counts as well, so
//! measure on a quiet one. Idle time is used because the kernel measures it exactly; the busy columns are sampled by
//! the timer tick, which misses work done in bursts between two ticks.

use std::time::Instant;

use anyhow::{Context, Result};
use procfs::{CurrentSI, KernelStats};

/// A point in time and the idle time until then.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    at: Instant,
    idle: Idle,
}

/// Sum over all processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Idle {
    /// Without work, or waiting for a disk, which is idle too.
    milliseconds: u64,
    processors: u32,
}

impl Reading {
    pub fn now() -> Result<Self> {
        let stat = KernelStats::current().context("cannot read /proc/stat")?;
        let milliseconds = stat.total.idle_ms() + stat.total.iowait_ms().unwrap_or_default();
        Ok(Self { at: Instant::now(), idle: Idle { milliseconds, processors: u32::try_from(stat.cpu_time.len())? } })
    }

    /// Microseconds of CPU that were spent between `earlier` and this.
    pub fn busy_us_since(self, earlier: Self) -> f64 {
        let available = self.at.duration_since(earlier.at).as_secs_f64() * f64::from(self.idle.processors);
        let idle = self.idle.milliseconds.saturating_sub(earlier.idle.milliseconds) as f64 / 1000.0;
        (available - idle).max(0.0) * 1e6
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_not_idle_is_busy() {
        let earlier = Reading { at: Instant::now(), idle: Idle { milliseconds: 10_000, processors: 2 } };
        let at = earlier.at + Duration::from_secs(3);
        // Two processors, three seconds, 1.5 of the six idle.
        let later = Reading { at, idle: Idle { milliseconds: 11_500, processors: 2 } };
        assert_eq!(later.busy_us_since(earlier), 4_500_000.0);
    }
}
