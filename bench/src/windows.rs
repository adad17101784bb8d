//! Plain and accelerated windows in turns: what drifts on a machine (heat, neighbours, page cache) then meets both
//! sides alike.
//!
//! Plain means plain: before each plain window everything is uninstalled. The run-time switch would not do, since a
//! socket that is switched off still goes through the hooks.

use anyhow::Result;
use meshaccel_e2e_harness::daemon::Daemon;

use super::sample::{Sample, median};

/// The samples of both sides.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    pub plain: Vec<Sample>,
    pub accelerated: Vec<Sample>,
    /// Bytes that went past the stack in all accelerated windows.
    pub bytes: u64,
}

impl Comparison {
    /// Accelerated over plain, round by round.
    pub fn ratios(&self, value: fn(&Sample) -> f64) -> impl Iterator<Item = f64> {
        self.plain.iter().zip(&self.accelerated).map(move |(plain, fast)| value(fast) / value(plain))
    }

    /// Their median: what drifts slowly on a machine moves both windows of a round alike. NaN without a round.
    pub fn ratio(&self, value: fn(&Sample) -> f64) -> f64 {
        median(self.ratios(value)).unwrap_or(f64::NAN)
    }
}

/// `rounds` windows of each kind, in the order plain, accelerated, accelerated, plain, ...: half as many starts of the
/// daemon, and neither kind always comes first. `running` may be a daemon that runs already; none does afterwards.
pub fn in_turns(
    rounds: u32,
    running: Option<Daemon>,
    start: impl Fn() -> Result<Daemon>,
    window: impl Fn() -> Result<Sample>,
    mut progress: impl FnMut(&str, &Sample),
) -> Result<Comparison> {
    let mut comparison = Comparison::default();
    let mut daemon = running;
    for accelerated in order(rounds, daemon.is_some()) {
        if !accelerated {
            stop(daemon.take())?;
            let sample = window()?;
            progress("plain TCP", &sample);
            comparison.plain.push(sample);
            continue;
        }
        let active = match daemon.take() {
            Some(active) => active,
            None => start()?,
        };
        let before = redirected_bytes(&active)?;
        let sample = window()?;
        progress("meshaccel", &sample);
        comparison.accelerated.push(sample);
        comparison.bytes += redirected_bytes(&active)?.saturating_sub(before);
        daemon = Some(active);
    }
    stop(daemon)?;
    Ok(comparison)
}

/// True: accelerated. Begins with what is there and changes after every other window.
fn order(rounds: u32, first: bool) -> impl Iterator<Item = bool> {
    (0..2 * rounds).map(move |window| (window % 4 == 1 || window % 4 == 2) != first)
}

fn stop(daemon: Option<Daemon>) -> Result<()> {
    if let Some(mut daemon) = daemon {
        daemon.stop()?;
        daemon.run_ok(&["uninstall"])?;
    }
    Ok(())
}

fn redirected_bytes(daemon: &Daemon) -> Result<u64> {
    daemon.metric("meshaccel_bytes_total", "redirected")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_come_equally_often_and_first() {
        let text = |rounds, first| -> String { order(rounds, first).map(|on| if on { 'm' } else { 'p' }).collect() };
        assert_eq!(text(3, false), "pmmppm");
        assert_eq!(text(3, true), "mppmmp");
        assert_eq!(text(4, false), "pmmppmmp");
    }
}
