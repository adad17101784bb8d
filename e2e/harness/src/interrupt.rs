//! Ctrl-C: a program of the harness that is interrupted must still clean up. The signal sets a flag, every wait turns
//! the flag into an error, and the error unwinds through the guards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use crate::wait;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_: i32) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Turns SIGINT, SIGTERM and SIGHUP into an error of whatever is being waited for. Only for programs: a test runner
/// keeps its own handling.
pub fn becomes_error() -> Result<()> {
    let action = SigAction::new(SigHandler::Handler(note), SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handler only stores to an atomic, which is async-signal-safe.
        unsafe { sigaction(signal, &action) }?;
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
