//! How often what costs time is done: the more it costs, the more rarely.

use std::time::Duration;

/// What something costs that is done again and again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    last: Duration,
    before: Duration,
}

impl Pace {
    /// It took so long.
    pub fn took(&mut self, time: Duration) {
        (self.before, self.last) = (self.last, time);
    }

    /// The pause after it, for at most one part in `share` of a core. Of the last two times the shorter one counts: a virtual
    /// machine that its host does not run for a while takes that for time of the running thread, and a scan of microseconds
    /// that seems to have taken 30 ms must not keep the next one away for seconds.
    pub fn pause(&self, share: u32, shortest: Duration, longest: Duration) -> Duration {
        (self.last.min(self.before) * share).clamp(shortest, longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORTEST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(30);

    fn pause(times: &[u64]) -> Duration {
        let mut pace = Pace::default();
        for micros in times {
            pace.took(Duration::from_micros(*micros));
        }
        pace.pause(100, SHORTEST, LONGEST)
    }

    #[test]
    fn what_costs_much_comes_rarely() {
        assert_eq!(pause(&[]), SHORTEST);
        assert_eq!(pause(&[50, 50]), SHORTEST);
        assert_eq!(pause(&[20_000, 20_000]), Duration::from_secs(2));
        assert_eq!(pause(&[1_000_000, 1_000_000]), LONGEST);
    }

    #[test]
    fn a_machine_that_stood_still_is_no_cost() {
        assert_eq!(pause(&[30_000]), SHORTEST);
        assert_eq!(pause(&[50, 30_000]), SHORTEST);
        assert_eq!(pause(&[30_000, 50]), SHORTEST);
    }
}
