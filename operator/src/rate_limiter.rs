//! When a status is written: what people wait for at once, what only counts now and then. Pure.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::plan::Priority;

/// Messages and numbers of nodes during a rollout.
const PROGRESS: Duration = Duration::from_secs(2);
/// Counts of pods, connections and bytes.
const COUNTS: Duration = Duration::from_secs(10);
/// However many objects there are, their counts cost no more writes a second than this.
const COUNTS_A_SECOND: f64 = 3.0;

/// When each object was written last.
#[derive(Debug, Default)]
pub struct RateLimiter(HashMap<String, Instant>);

impl RateLimiter {
    /// How long a write must still wait; zero: it is due.
    pub fn wait(&self, uid: &str, priority: Priority, objects: usize, now: Instant) -> Duration {
        let pause = match priority {
            Priority::Transition => return Duration::ZERO,
            Priority::Progress => PROGRESS,
            Priority::Counts => COUNTS.max(Duration::from_secs_f64(objects as f64 / COUNTS_A_SECOND)),
        };
        self.0.get(uid).map_or(Duration::ZERO, |last| pause.saturating_sub(now.saturating_duration_since(*last)))
    }

    /// It was written.
    pub fn wrote(&mut self, uid: &str, now: Instant) {
        self.0.insert(uid.to_owned(), now);
    }

    /// Forgets objects that are gone.
    pub fn keep(&mut self, uids: &HashSet<&str>) {
        self.0.retain(|uid, _| uids.contains(uid.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transitions_never_wait_and_counts_do() {
        let (mut limiter, start) = (RateLimiter::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(limiter.wait("u", Priority::Counts, 1, start), Duration::ZERO, "the first is written at once");
        limiter.wrote("u", start);
        assert_eq!(limiter.wait("u", Priority::Transition, 1, start), Duration::ZERO);
        assert_eq!(limiter.wait("u", Priority::Progress, 1, after(1)), Duration::from_secs(1));
        assert_eq!(limiter.wait("u", Priority::Counts, 1, after(3)), Duration::from_secs(7));
        assert_eq!(limiter.wait("u", Priority::Counts, 1, after(10)), Duration::ZERO);
        assert_eq!(limiter.wait("v", Priority::Counts, 1, after(1)), Duration::ZERO, "each object for itself");
    }

    #[test]
    fn many_objects_share_a_budget() {
        let (mut limiter, start) = (RateLimiter::default(), Instant::now());
        limiter.wrote("u", start);
        assert_eq!(limiter.wait("u", Priority::Counts, 300, start), Duration::from_secs(100));
    }

    #[test]
    fn objects_that_are_gone_are_forgotten() {
        let (mut limiter, start) = (RateLimiter::default(), Instant::now());
        limiter.wrote("u", start);
        limiter.keep(&HashSet::new());
        assert_eq!(limiter.wait("u", Priority::Counts, 1, start), Duration::ZERO);
    }
}
