//! Whose connections are translated, and to where.
//!
//! * [`sidecar`] what a sidecar takes keeps its VIP
//! * [`flow`] which of a socket's entries serves a datagram

pub mod flow;
pub mod sidecar;

/// Does an affinity hold that was last used then? Its time-out counts from the last connection, in s.
#[inline(always)]
#[must_use]
pub const fn holds(now: u64, used_at: u64, timeout_seconds: u32) -> bool {
    now.wrapping_sub(used_at) < timeout_seconds as u64 * 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_affinity_holds_for_its_time_and_no_longer() {
        let second = 1_000_000_000;
        assert!(holds(5 * second, 3 * second, 3) && !holds(6 * second, 3 * second, 3));
        assert!(!holds(5, 5, 0), "no affinity");
    }
}
