//! Visits of one socket come one after the other. They write its storage and its record as if they were alone, and several threads of
//! the daemon, a review, uninstall and the next daemon may all run them at once: one that promotes a socket while another takes it
//! out would leave it in the SOCKHASH under a key that nobody knows.
//!
//! Who comes second does not wait, but comes again. A program that has begun ends, whatever becomes of who runs it, so no
//! socket stays visited.

use crate::barrier::replace;
use meshaccel_abi::EndRecord;

/// False: somebody else visits it.
#[inline(always)]
pub fn begin(record: *mut EndRecord) -> bool {
    // SAFETY: readable while the program runs (RCU).
    replace(unsafe { &raw mut (*record).visited }, 0, 1)
}

/// The visit is over, and what it has written is there for the next.
#[inline(always)]
pub fn end(record: *mut EndRecord) {
    // SAFETY: as above.
    replace(unsafe { &raw mut (*record).visited }, 1, 0);
}
