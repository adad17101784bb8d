//! How often a connection must send something through TCP.

use std::time::Duration;

/// The longest that a connection sends nothing through TCP, where no time-out asks for less.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// A quarter of the smallest time-out of the states that a connection may stand still in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// Open in both directions.
    pub open: Duration,
    /// One direction has sent its FIN.
    pub half_closed: Duration,
}

impl KeepAlive {
    /// Where there is no conntrack.
    pub const NONE: Self = Self { open: LONGEST_SILENCE, half_closed: LONGEST_SILENCE };

    /// For a way that passes both.
    pub fn min(self, other: Self) -> Self {
        Self { open: self.open.min(other.open), half_closed: self.half_closed.min(other.half_closed) }
    }
}
