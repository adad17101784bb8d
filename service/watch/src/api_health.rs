//! Whether the API server is within reach, as far as the last attempts showed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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
    /// The API server has answered to `what`. True: it had failed before.
    pub fn made(&self, what: &'static str) -> bool {
        let failed = self.lock().failing.remove(what);
        if let Some((since, _)) = &failed {
            tracing::info!(what, after_s = since.elapsed().as_secs(), "The API server answers again");
        }
        failed.is_some()
    }

    /// All objects of a kind are known.
    pub fn whole(&self, kind: &'static str) {
        self.lock().whole.insert(kind);
    }

    /// It has not answered to `what`, or with an error. True: it had answered before.
    pub fn lost(&self, what: &'static str, error: String) -> bool {
        let mut state = self.lock();
        if let Some((_, first)) = state.failing.get(what) {
            tracing::debug!(what, error, first, "The API server still does not answer");
            return false;
        }
        tracing::warn!(what, error, "The API server does not answer; what is known goes on, and it is asked again");
        state.failing.insert(what, (Instant::now(), error));
        true
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
        assert!(api_health.lost("Pod", "refused".into()));
        assert!(api_health.lost("Node", "late".into()));
        assert!(!api_health.lost("Pod", "again".into()));
        assert_eq!(api_health.lost_for().map(|(_, error)| error), Some("Pod: refused".to_owned()));
        assert!(api_health.made("Pod"));
        assert_eq!(api_health.lost_for().map(|(_, error)| error), Some("Node: late".to_owned()));
        assert!(api_health.made("Node") && !api_health.made("Node"));
        assert!(api_health.lost_for().is_none());
    }
}
