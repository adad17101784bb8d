//! The gate of the calls that receive, while it is closed.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How long the gate stays closed after it was last needed.
const LINGERS: Duration = Duration::from_secs(2);

/// The gate, while it is closed.
#[derive(Default)]
pub struct Closed {
    pub links: Vec<OwnedFd>,
    /// How often it was closed.
    pub turn: usize,
    /// When it was last needed.
    needed: Option<Instant>,
}

impl Closed {
    /// Opens it when it has not been needed for a while, since who makes one descriptor blocking is about to make others. Gives the
    /// time when to ask again.
    pub fn is_needed(&mut self, needed: bool, now: Instant) -> Option<Instant> {
        if needed {
            self.needed = Some(now);
        }
        let until = self.needed? + LINGERS;
        if until > now {
            return Some(until);
        }
        self.needed = None;
        let links = std::mem::take(&mut self.links);
        // The kernel waits for all processors to have left the programs: many milliseconds.
        std::thread::spawn(move || drop(links));
        None
    }
}
