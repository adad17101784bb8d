//! Is a connection worth promoting?
//!
//! Entering the SOCKHASH costs more than one message saves, and a one-way stream gains nothing. So a candidate stays on
//! plain TCP until what its own tcp_sock counted shows messages in both directions.

use meshaccel_abi::redirect::Reason;

use crate::redirect::benefit::GAINS_ONE_WAY;

/// Data segments that must have gone in each direction. Request and response pay back the cost of promotion within
/// about five exchanges; a connection that has made eight is likely to be a pooled or long-lived one.
pub const SEGMENTS_EACH_WAY: u32 = 8;

/// Mean size of the messages to an application from which on they count as large: 8 KiB. A reader of large messages
/// fills its buffer, asks how much more there is (FIONREAD) and is told wrongly while TCP's bytes wait at a socket in a
/// SOCKHASH (Linux 6.18.14 and later, until both queues are counted): nginx then waits for an event that never comes. So
/// large uploads stay on plain TCP.
pub const LARGE: u64 = 8192;

/// Segments in one direction for each in the other, from which on a connection counts as one-way.
pub const ONE_WAY: u32 = 16;

/// Mean size up to which messages are small enough to be tried although others of the port gained nothing: 4 KiB.
const SMALL: u64 = 4096;

/// Segments after which a connection that got hardly an answer is known as one-way; and segments each way that are asked for
/// where others gained nothing.
pub const PATIENCE: u32 = 64;

/// Data segments that must have come from each side before anything is redirected to an application, even where no evidence
/// of gain is asked for: 4. What it reads first often is not how it reads on: a proxy takes one request with recv(2) and the
/// rest with splice(2).
pub const READ_FIRST: u32 = 4;

/// What [`worth`] judges a socket by: what TCP has counted, who reads at each end, and how earlier connections of its port did.
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
    /// Connections of its port were promoted in vain.
    pub no_gain_before: bool,
}

/// Promote it?
///
/// # Errors
/// Why not (yet): [`Reason::Candidate`] while it has carried too little, else what it would not gain by.
#[inline(always)]
pub fn worth(evidence: &Evidence) -> Result<(), Reason> {
    let (less, more, bytes) = if evidence.segments_in < evidence.segments_out {
        (evidence.segments_in, evidence.segments_out, evidence.bytes_out)
    } else {
        (evidence.segments_out, evidence.segments_in, evidence.bytes_in)
    };
    if less < SEGMENTS_EACH_WAY {
        return Err(if more < PATIENCE { Reason::Candidate } else { Reason::OneWay });
    }
    if more / ONE_WAY > less && bytes < GAINS_ONE_WAY.wrapping_mul(more as u64) {
        return Err(Reason::OneWay);
    }
    if evidence.no_gain_before && less < PATIENCE {
        return Err(Reason::Candidate);
    }
    if evidence.no_gain_before && bytes > SMALL.wrapping_mul(more as u64) {
        return Err(Reason::Backlogged);
    }
    // A product, since a quotient would need a check for zero.
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
        let (application_reads, peer_application_reads, no_gain_before) = (true, false, false);
        Evidence {
            segments_in,
            segments_out,
            bytes_in,
            bytes_out,
            application_reads,
            peer_application_reads,
            no_gain_before,
        }
    }

    #[test]
    fn only_traffic_in_both_directions_is_worth_it() {
        assert_eq!(worth(&evidence(8, 8)), Ok(()));
        assert_eq!(worth(&evidence(100, 1000)), Ok(()));
        assert_eq!(worth(&evidence(7, 63)), Err(Reason::Candidate));
        assert_eq!(worth(&evidence(63, 7)), Err(Reason::Candidate));
    }

    #[test]
    fn small_messages_one_way_are_not_worth_it_and_large_ones_are() {
        assert_eq!(worth(&evidence(8, 1000)), Err(Reason::OneWay));
        assert_eq!(worth(&evidence(1000, 8)), Err(Reason::OneWay));
        assert_eq!(worth(&evidence(0, 64)), Err(Reason::OneWay));
        assert_eq!(worth(&evidence(0, 63)), Err(Reason::Candidate));
        let download = Evidence { bytes_out: 1000 * 60_000, ..evidence(8, 1000) };
        assert_eq!(worth(&download), Ok(()));
    }

    #[test]
    fn where_others_gained_nothing_more_is_asked() {
        let before = |each| Evidence { no_gain_before: true, ..evidence(each, each) };
        assert_eq!(worth(&before(63)), Err(Reason::Candidate));
        assert_eq!(worth(&before(64)), Ok(()));
        let larger = Evidence { bytes_out: 64 * 5000, bytes_in: 64 * 5000, application_reads: false, ..before(64) };
        assert_eq!(worth(&larger), Err(Reason::Backlogged));
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
