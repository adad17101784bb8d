//! Which sockets does the scan visit? A node may have a hundred thousand connections that carry something now and
//! then, and scans come several times a second. So a candidate is visited from when it has carried enough to be judged, for a few
//! seconds; after that it is left to the full resync, which comes more rarely and turns to it again when it has carried more.

use crate::redirect::benefit::back_at;
use crate::redirect::evidence::{PATIENCE, READ_FIRST, SEGMENTS_EACH_WAY};

/// How long the scan visits a candidate in vain: 4 s, in ns.
const ATTENTION: u64 = 4_000_000_000;

/// Has a connection carried enough data segments each way that a visit may promote it?
#[inline(always)]
pub fn is_due(eager: bool, segments_in: u32, segments_out: u32) -> bool {
    let least = if eager { READ_FIRST } else { SEGMENTS_EACH_WAY };
    segments_in >= least && segments_out >= least
}

/// Need TCP not report its round trips any longer? A stream to which next to nothing comes back reports thousands.
#[inline(always)]
pub fn is_known(eager: bool, segments_in: u32, segments_out: u32) -> bool {
    is_due(eager, segments_in, segments_out) || segments_in >= PATIENCE || segments_out >= PATIENCE
}

/// Has a candidate been visited for long enough? It is since `since`, and may have left the SOCKHASH at `left_at`, for the
/// `leaves`th time, because that was no gain: then it stays out for a while, and may come back after that. All in ns.
#[inline(always)]
pub fn is_over(now: u64, since: u64, left_at: u64, leaves: u32) -> bool {
    let back = back_at(left_at, leaves);
    let from = if back > since { back } else { since };
    now.saturating_sub(from) >= ATTENTION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_visited_may_be_promoted() {
        assert!(is_due(true, 4, 4) && !is_due(true, 3, 100));
        assert!(is_due(false, 8, 8) && !is_due(false, 100, 7));
    }

    #[test]
    fn nobody_reports_for_ever() {
        assert!(!is_known(false, 7, 63) && is_known(false, 7, 64) && is_known(false, 64, 0) && is_known(false, 8, 8));
    }

    #[test]
    fn attention_ends_and_waits_for_what_stays_out() {
        assert!(!is_over(5_999_999_999, 2_000_000_000, 0, 0));
        assert!(is_over(6_000_000_000, 2_000_000_000, 0, 0));
        // Out for 64 s.
        let left_at = 3_000_000_000;
        assert!(!is_over(left_at + 64_000_000_000, 2_000_000_000, left_at, 9));
        assert!(!is_over(left_at + 67_999_999_999, 2_000_000_000, left_at, 9));
        assert!(is_over(left_at + 68_000_000_000, 2_000_000_000, left_at, 9));
        // It came and went long before it was turned to again.
        assert!(!is_over(101_000_000_000, 100_000_000_000, left_at, 9));
    }
}
