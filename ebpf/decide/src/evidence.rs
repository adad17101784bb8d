//! Is a connection worth promoting?
//!
//! Entering the SOCKHASH costs more than one message saves, and a one-way stream gains nothing. So a candidate stays on
//! plain TCP until what its own tcp_sock counted shows messages in both directions.

use meshaccel_abi::Reason;

/// Data segments that must have gone in each direction. Request and response pay back the cost of promotion within
/// about five exchanges; a connection that has made eight is likely to be a pooled or long-lived one.
pub const SEGMENTS_EACH_WAY: u32 = 8;

/// Mean size of the messages to an application from which on they count as large: 8 KiB. A reader of large messages
/// fills its buffer, asks how much more there is (FIONREAD) and is told wrongly while TCP's bytes wait at a socket in a
/// SOCKHASH (Linux 6.18.14 and later, until both queues are counted): nginx then waits for an event that never comes. So
/// large uploads stay on plain TCP.
pub const LARGE: u64 = 8192;

/// What TCP counted for one socket.
#[derive(Clone, Copy, Debug)]
pub struct Evidence {
    /// `tcp_sock.data_segs_in`
    pub segments_in: u32,
    /// `tcp_sock.data_segs_out`
    pub segments_out: u32,
    /// `tcp_sock.bytes_received`
    pub bytes_in: u64,
    /// `tcp_sock.bytes_acked`
    pub bytes_out: u64,
    /// What comes in is read by an application (not the sidecar).
    pub application_reads: bool,
    /// What goes out is read by an application.
    pub peer_application_reads: bool,
}

/// Promote it?
#[inline(always)]
pub fn worth(evidence: &Evidence) -> Result<(), Reason> {
    if evidence.segments_in < SEGMENTS_EACH_WAY || evidence.segments_out < SEGMENTS_EACH_WAY {
        return Err(Reason::Candidate);
    }
    // A product instead of a quotient: it cannot divide by zero, and segments are at most 64 KiB each.
    let large = |bytes: u64, segments: u32| bytes > LARGE.wrapping_mul(segments as u64);
    if evidence.application_reads && large(evidence.bytes_in, evidence.segments_in) {
        return Err(Reason::TakesBulk);
    }
    if evidence.peer_application_reads && large(evidence.bytes_out, evidence.segments_out) {
        return Err(Reason::TakesBulk);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(segments_in: u32, segments_out: u32) -> Evidence {
        let (bytes_in, bytes_out) = (u64::from(segments_in) * 64, u64::from(segments_out) * 64);
        let (application_reads, peer_application_reads) = (true, false);
        Evidence { segments_in, segments_out, bytes_in, bytes_out, application_reads, peer_application_reads }
    }

    #[test]
    fn only_traffic_in_both_directions_is_worth_it() {
        assert_eq!(worth(&evidence(8, 8)), Ok(()));
        assert_eq!(worth(&evidence(7, 100_000)), Err(Reason::Candidate));
        assert_eq!(worth(&evidence(100_000, 7)), Err(Reason::Candidate));
    }

    #[test]
    fn large_messages_to_an_application_stay_on_tcp_and_to_the_sidecar_do_not() {
        let upload = Evidence { bytes_in: 100 * 60_000, ..evidence(100, 100) };
        assert_eq!(worth(&upload), Err(Reason::TakesBulk));
        assert_eq!(worth(&Evidence { application_reads: false, ..upload }), Ok(()));
        let sent = Evidence { bytes_out: 100 * 60_000, ..evidence(100, 100) };
        assert_eq!(worth(&sent), Ok(()));
        assert_eq!(worth(&Evidence { peer_application_reads: true, ..sent }), Err(Reason::TakesBulk));
    }
}
