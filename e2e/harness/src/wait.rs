//! Waiting for a condition with a deadline: the only place of the tests where time passes by itself.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::slowness;
use crate::traffic::{Fault, Faults};

/// Asks `condition` until it answers with something, at first every millisecond, then every 50. An error ends the wait
/// at once; after `limit` it fails with `what`. On an emulated machine the limit is longer ([`slowness`]).
pub fn until<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let (start, limit) = (Instant::now(), slowness::scaled(limit));
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(answer) = condition()? {
            return Ok(answer);
        }
        if start.elapsed() >= limit {
            bail!("waited {limit:?} in vain: {what}");
        }
        std::thread::sleep(pause.min(limit.saturating_sub(start.elapsed())));
        pause = (pause * 3 / 2).min(Duration::from_millis(50));
    }
}

/// [`until`] for a condition that cannot fail.
pub fn wait_until<T>(limit: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> Result<T> {
    until(what, limit, || Ok(condition()))
}

/// [`until`] for a condition that fails as long as it is not met: the last failure is part of the sentence. A faulty
/// stream ends the wait at once, for no time mends it.
pub fn wait_for<T>(limit: Duration, what: &str, mut condition: impl FnMut() -> Result<T>) -> Result<T> {
    let mut last = None;
    let mut faulty = false;
    let answer = until(what, limit, || match condition() {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is::<Fault>() || error.is::<Faults>() => {
            faulty = true;
            Err(error)
        }
        Err(error) => {
            last = Some(error);
            Ok(None)
        }
    });
    answer.map_err(|error| match last {
        _ if faulty => error.context(format!("while waiting for {what}")),
        Some(last) => anyhow::anyhow!("{error}: {last:#}"),
        None => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_never_comes_is_a_failure_with_its_name() {
        let error = wait_until(Duration::from_millis(5), "pigs fly", || None::<()>).unwrap_err();
        assert!(error.to_string().contains("pigs fly"));
    }

    #[test]
    fn the_last_failure_is_told() {
        let error =
            wait_for(Duration::from_millis(5), "pigs fly", || Err::<(), _>(anyhow::anyhow!("no wings"))).unwrap_err();
        assert!(format!("{error:#}").contains("no wings"));
    }
}
