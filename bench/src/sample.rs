//! One measured window, and the medians that a comparison rests on.

use anyhow::Result;
use meshaccel_e2e_load::cpu::Reading;
use meshaccel_e2e_mesh::generator::Outcome;
use meshaccel_e2e_mesh::generator::wrk::Wrk;
use meshaccel_e2e_mesh::pod::Pod;

/// What one window of load showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    pub requests_per_second: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// CPU time of the whole machine for one request.
    pub cpu_us: f64,
}

impl Sample {
    /// Runs wrk with fresh connections for `seconds`; a failed request is an error.
    pub fn take(client: &Pod, url: &str, connections: u32, seconds: u32) -> Result<Self> {
        let before = Reading::now()?;
        let outcome = Wrk::start(client, url, connections, seconds)?.finish()?;
        let after = Reading::now()?;
        outcome.check()?;
        Ok(Self::new(&outcome, after.busy_us_since(before)))
    }

    pub(super) fn new(outcome: &Outcome, busy_us: f64) -> Self {
        Self {
            requests_per_second: outcome.requests_per_second,
            p50_us: outcome.p50_us.unwrap_or(f64::NAN),
            p99_us: outcome.p99_us.unwrap_or(f64::NAN),
            cpu_us: busy_us / outcome.requests as f64,
        }
    }

    /// The median of each column.
    pub fn median(samples: &[Self]) -> Option<Self> {
        let column = |value: fn(&Self) -> f64| median(samples.iter().map(value));
        Some(Self {
            requests_per_second: column(|s| s.requests_per_second)?,
            p50_us: column(|s| s.p50_us)?,
            p99_us: column(|s| s.p99_us)?,
            cpu_us: column(|s| s.cpu_us)?,
        })
    }
}

/// The middle value, or the mean of the two middle ones.
pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 { Some(upper) } else { Some((sorted.get(middle.checked_sub(1)?)? + upper) / 2.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_odd_even_and_none() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
        assert_eq!(median(std::iter::empty()), None);
    }
}
