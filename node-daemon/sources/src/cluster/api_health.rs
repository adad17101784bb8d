//! Whether the API server is within reach, as far as the last attempts showed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use meshaccel_service::Chain;

/// Shared by all who talk to the API server. What fails is logged when it begins to and when it ends.
#[derive(Clone, Debug, Default)]
pub struct ApiHealth(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Kinds of which all objects were seen once.
    whole: BTreeSet<&'static str>,
    /// What fails, since when, and the first error.
    failing: BTreeMap<&'static str, (Instant, String)>,
}

impl ApiHealth {
    /// The API server has answered to `what`.
    pub fn made(&self, what: &'static str) {
        if let Some((since, _)) = self.lock().failing.remove(what) {
            tracing::info!(what, after_s = since.elapsed().as_secs(), "The API server answers again");
        }
    }

    /// All objects of a kind are known.
    pub fn whole(&self, kind: &'static str) {
        self.lock().whole.insert(kind);
    }

    /// It has not answered to `what`, or with an error.
    pub fn lost(&self, what: &'static str, error: &dyn std::error::Error) {
        let error = Chain(error).to_string();
        self.lock().failing.entry(what).or_insert_with(|| {
            tracing::warn!(what, error, "The API server does not answer; what is known goes on, and it is asked again");
            (Instant::now(), error)
        });
    }

    /// For how long something has failed, and how; `None`: nothing does.
    #[must_use]
    pub fn lost_for(&self) -> Option<(Duration, String)> {
        let state = self.lock();
        let (what, (since, error)) = state.failing.iter().min_by_key(|(_, (since, _))| *since)?;
        Some((since.elapsed(), format!("{what}: {error}")))
    }

    /// Of how many kinds all objects were seen once.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.lock().whole.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked while it was held had written plain values.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_failure_is_told_until_it_ends() {
        let api_health = ApiHealth::default();
        assert!(api_health.lost_for().is_none());
        api_health.lost("Pod", &std::io::Error::other("refused"));
        api_health.lost("Node", &std::io::Error::other("late"));
        api_health.lost("Pod", &std::io::Error::other("again"));
        assert_eq!(api_health.lost_for().map(|(_, error)| error), Some("Pod: refused".to_owned()));
        api_health.made("Pod");
        assert_eq!(api_health.lost_for().map(|(_, error)| error), Some("Node: late".to_owned()));
        api_health.made("Node");
        assert!(api_health.lost_for().is_none());
    }
}
