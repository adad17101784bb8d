//! Exponential back-off with jitter, so that many who failed together do not come back together.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// The next pauses after failures: from half of `first` on, doubled each time up to half of `longest`; as much again, and no more, is left
/// to chance.
#[derive(Debug)]
pub struct Backoff {
    builder: ExponentialBuilder,
    pauses: ExponentialBackoff,
    longest: Duration,
}

impl Backoff {
    /// Never ends: after many failures each pause is about `longest`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        let builder = ExponentialBuilder::new()
            .with_min_delay(first / 2)
            .with_max_delay(longest / 2)
            .without_max_times()
            .with_jitter();
        Self { builder, pauses: builder.build(), longest }
    }

    /// How long to wait after one more failure.
    pub fn failed(&mut self) -> Duration {
        self.pauses.next().unwrap_or(self.longest)
    }

    /// It worked.
    pub fn reset(&mut self) {
        self.pauses = self.builder.build();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_again() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        for _ in 0..2 {
            for most in [1, 2, 4, 8, 16, 30, 30] {
                let (pause, most) = (backoff.failed(), Duration::from_secs(most));
                assert!(pause >= most / 2 && pause <= most, "{pause:?}, at most {most:?}");
            }
            backoff.reset();
        }
    }

    #[test]
    fn who_failed_together_comes_back_apart() {
        let pauses: Vec<Duration> = (0..20)
            .map(|_| {
                let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
                (0..100).map(|_| backoff.failed()).last().unwrap_or_default()
            })
            .collect();
        assert!(
            pauses.iter().all(|pause| *pause <= Duration::from_secs(30) && *pause >= Duration::from_secs(15)),
            "{pauses:?}"
        );
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
    }
}
