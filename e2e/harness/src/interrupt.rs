//! Ctrl-C: a program of the harness that is interrupted must still clean up. The signal sets a flag, every wait turns
//! the flag into an error, and the error unwinds through the guards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use nix::libc::{SIGHUP, SIGINT, SIGTERM};

use crate::wait;

static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Turns SIGINT, SIGTERM and SIGHUP into an error of whatever is being waited for. Only for programs: a test runner
/// keeps its own handling.
pub fn becomes_error() -> Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&INTERRUPTED))?;
    }
    Ok(())
}

/// An error when interrupted since the start.
pub fn check() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

/// True once interrupted.
pub fn seen() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// [`wait::until`] that an interrupt ends as well.
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    wait::until(what, limit, || check().and_then(|()| look()))
}

/// Lets a measuring window of `length` pass.
pub fn window(length: Duration) -> Result<()> {
    let end = Instant::now() + length;
    until("the window's end", length + Duration::from_secs(1), || Ok((Instant::now() >= end).then_some(())))
}
