//! Pauses between attempts to watch: 250 ms, doubled up to 5 s, each shortened at random by up to a half, so that a thousand
//! daemons do not come back at once. (kube's own go up to 30 s: so long would a deletion wait after an outage.)

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use kube::runtime::utils;
use meshaccel_service::Backoff;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);

/// [`Backoff`] as kube's watcher asks for it; never ends.
#[derive(Debug)]
pub struct Pauses(Backoff);

impl Default for Pauses {
    fn default() -> Self {
        Self(Backoff::new(FIRST, LONGEST))
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        // Each RandomState has keys of its own; that is random enough to spread daemons.
        let part = RandomState::new().hash_one(()) as u32;
        Some(self.0.failed(f64::from(part) / f64::from(u32::MAX)))
    }
}

impl utils::Backoff for Pauses {
    fn reset(&mut self) {
        self.0.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::runtime::utils::Backoff as _;

    #[test]
    fn pauses_grow_to_five_seconds_and_begin_again() {
        let mut pauses = Pauses::default();
        for longest in [250, 500, 1000, 2000, 4000, 5000, 5000] {
            let (pause, longest) = (pauses.next().unwrap(), Duration::from_millis(longest));
            assert!(pause >= longest / 2 && pause <= longest, "{pause:?} of {longest:?}");
        }
        pauses.reset();
        assert!(pauses.next().unwrap() <= FIRST);
    }
}
