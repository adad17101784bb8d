//! What is in the way of installing: said once, and tried again at a pace.

use std::time::{Duration, Instant};

use meshaccel_service::Backoff;

use crate::Error;
use crate::probe::{Surroundings, Unsupported};

/// Between two tries: soon at first (it may have been a moment's trouble), then seldom. What is missing on a machine seldom
/// comes, and each try loads programs up to the one that is refused.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Something is in the way.
pub struct Obstacle {
    pub cause: Unsupported,
    pauses: Backoff,
    /// When to try again.
    next: Instant,
}

impl Obstacle {
    /// A try has failed; `before`: and so had the one before it.
    pub fn met(error: &Error, before: Option<Self>) -> Self {
        let mut cause = Unsupported::explain(error, &Surroundings::observe());
        match &before {
            // Which map or program was the first to be refused is chance. Told as before, so that no report changes for that.
            Some(before) if before.cause.is_as(&cause) => {
                tracing::debug!(seen = cause.seen, "Tried again in vain");
                cause = before.cause.clone();
            }
            _ => {
                let reason = cause.reason();
                tracing::error!(reason, %cause, "Nothing can be accelerated on this machine; all traffic takes the ordinary path");
            }
        }
        let mut pauses = before.map_or_else(|| Backoff::new(FIRST, LONGEST), |before| before.pauses);
        let next = Instant::now() + pauses.failed();
        Self { cause, pauses, next }
    }

    /// It is too early to try again.
    pub fn holds(&self, now: Instant) -> bool {
        now < self.next
    }

    /// A try has succeeded.
    pub fn gone(self) {
        tracing::info!(was = %self.cause, "What was in the way is gone");
    }
}

#[cfg(test)]
mod tests {
    use meshaccel_bpf::program::LoadError;

    use super::*;

    fn denied(path: &str, errno: i32) -> Error {
        LoadError::Pin { path: path.into(), source: std::io::Error::from_raw_os_error(errno) }.into()
    }

    #[test]
    fn the_same_cause_is_told_in_the_same_words_and_tried_again_more_seldom() {
        let first = Obstacle::met(&denied("/a", libc::EPERM), None);
        let told = first.cause.clone();
        assert!(first.holds(Instant::now()) && !first.holds(first.next));
        let mut again = first;
        for pause in [2, 4, 8, 16, 32, 60, 60] {
            let (now, most) = (Instant::now(), Duration::from_secs(pause));
            again = Obstacle::met(&denied("/b", libc::EPERM), Some(again));
            assert_eq!(again.cause, told);
            // Up to half of it is left to chance.
            assert!(again.holds(now + most / 2 - Duration::from_millis(1)) && !again.holds(again.next), "{pause}");
            assert!(again.next <= Instant::now() + most, "{pause}");
        }
        // Another one, and of those that nobody knows each is its own.
        let full = Obstacle::met(&denied("/a", libc::ENOSPC), Some(again));
        assert!(full.cause.to_string().contains("/a: No space left"), "{}", full.cause);
        let other = Obstacle::met(&denied("/b", libc::ENOSPC), Some(full));
        assert!(other.cause.to_string().contains("/b: No space left"), "{}", other.cause);
    }
}
