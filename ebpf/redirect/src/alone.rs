//! Visits of one socket come one after the other. They write its storage and its record as if they were alone, and several threads of
//! the daemon, a full resync, uninstall and the next daemon may all run them at once: one that promotes a socket while another takes it
//! out would leave it in the SOCKHASH under a key that nobody knows.
//!
//! Who comes second does not wait, but comes again. A program that has begun ends, whatever becomes of who runs it, so no
//! socket stays visited.

use meshaccel_abi::redirect::EndRecord;

use crate::barrier::replace;

/// Visits by `visit`. `None`: somebody else visits it.
#[inline(always)]
pub fn visit<T>(record: *mut EndRecord, visit: impl FnOnce() -> T) -> Option<T> {
    // SAFETY: readable while the program runs (RCU).
    let visited = unsafe { &raw mut (*record).visited };
    if !replace(visited, 0, 1) {
        return None;
    }
    let outcome = visit();
    // What it has written is there for the next.
    replace(visited, 1, 0);
    Some(outcome)
}
