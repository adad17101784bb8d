//! CPU time that the whole machine was busy: all time that was not idle time, from /proc/stat.
//!
//! Nothing less is honest: what redirection saves is mostly softirq time, which belongs to no process, and what the
//! daemon and its programs cost must count against it. The price is that other work on the machine counts as well, so
//! measure on a quiet one. Idle time is used because the kernel measures it exactly; the busy columns are sampled by
//! the timer tick, which misses work done in bursts between two ticks.

use std::time::Instant;

use anyhow::{Context, Result};

/// A point in time and the idle time until then.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    at: Instant,
    idle: Idle,
    ticks_per_second: f64,
}

/// Sum over all processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Idle {
    /// Clock ticks without work, and those waiting for a disk: idle too.
    ticks: u64,
    processors: u32,
}

impl Reading {
    pub fn now() -> Result<Self> {
        let stat = std::fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
        let idle = idle(&stat).context("/proc/stat has no line of all processors")?;
        let rate = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?.context("no clock tick rate")?;
        Ok(Self { at: Instant::now(), idle, ticks_per_second: rate as f64 })
    }

    /// Microseconds of CPU that were spent between `earlier` and this.
    pub fn busy_us_since(self, earlier: Self) -> f64 {
        let available = self.at.duration_since(earlier.at).as_secs_f64() * f64::from(self.idle.processors);
        let idle = self.idle.ticks.saturating_sub(earlier.idle.ticks) as f64 / self.ticks_per_second;
        (available - idle).max(0.0) * 1e6
    }
}

/// "cpu  user nice system idle iowait ...", then one such line a processor.
fn idle(stat: &str) -> Option<Idle> {
    let total = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let mut fields = total.split_whitespace().skip(3).map(|field| field.parse::<u64>());
    let ticks = fields.next()?.ok()? + fields.next()?.ok()?;
    let processors = stat.lines().filter(|line| line.starts_with("cpu")).count().checked_sub(1)?;
    Some(Idle { ticks, processors: u32::try_from(processors).ok()? })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn idle_and_iowait_of_all_processors() {
        let stat = "cpu  1 20 300 4000 50000 6 7 8 9 10\ncpu0 1 1 1 1 1\ncpu1 1 1 1 1 1\nintr 5\n";
        assert_eq!(idle(stat), Some(Idle { ticks: 54000, processors: 2 }));
    }

    #[test]
    fn what_is_not_idle_is_busy() {
        let earlier =
            Reading { at: Instant::now(), idle: Idle { ticks: 1000, processors: 2 }, ticks_per_second: 100.0 };
        let at = earlier.at + Duration::from_secs(3);
        // Two processors, three seconds, 1.5 of the six idle.
        let later = Reading { at, idle: Idle { ticks: 1150, processors: 2 }, ..earlier };
        assert_eq!(later.busy_us_since(earlier), 4_500_000.0);
    }
}
