//! Is a connection worth promoting?
//!
//! Entering the SOCKHASH costs more than one message saves, and a one-way stream gains nothing. So a candidate stays on
//! plain TCP until what its own tcp_sock counted shows messages in both directions.

/// Data segments that must have gone in each direction. Request and response pay back the cost of promotion within
/// about five exchanges; a connection that has made eight is likely to be a pooled or long-lived one.
pub const SEGMENTS_EACH_WAY: u32 = 8;

/// What TCP counted for one socket.
#[derive(Clone, Copy, Debug)]
pub struct Evidence {
    /// `tcp_sock.data_segs_in`
    pub segments_in: u32,
    /// `tcp_sock.data_segs_out`
    pub segments_out: u32,
}

/// Promote it?
#[inline(always)]
pub fn worth(evidence: &Evidence) -> bool {
    evidence.segments_in >= SEGMENTS_EACH_WAY && evidence.segments_out >= SEGMENTS_EACH_WAY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_traffic_in_both_directions_is_worth_it() {
        assert!(worth(&Evidence { segments_in: 8, segments_out: 8 }));
        assert!(!worth(&Evidence { segments_in: 7, segments_out: 100_000 }));
        assert!(!worth(&Evidence { segments_in: 100_000, segments_out: 7 }));
    }
}
