//! Which of a socket's entries serves a datagram that names a VIP. As conntrack has it, what was sent to a VIP goes on to the same endpoint
//! while datagrams flow, and the endpoint is one of the Service's.

/// A flow that was idle for so long is forgotten: conntrack's longest time-out of UDP (`nf_conntrack_udp_timeout_stream`), in ns.
pub const IDLE: u64 = 120_000_000_000;
/// An answer may come for so long, in ns: conntrack's time-out of UDP that was not answered (`nf_conntrack_udp_timeout`).
pub const AWAITED: u64 = 30_000_000_000;

/// What one entry is to a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// It holds something.
    pub is_used: bool,
    /// Of the VIP that is named.
    pub is_of_vip: bool,
    /// When it was used last, in ns.
    pub used_at: u64,
}

/// Goes on to its endpoint, should that be one of the Service's still.
#[inline(always)]
#[must_use]
pub const fn goes_on(seen: Seen, now: u64) -> bool {
    seen.is_used && seen.is_of_vip && now.wrapping_sub(seen.used_at) < IDLE
}

/// May be written over: unused, of the same VIP, or idle.
#[inline(always)]
#[must_use]
pub const fn is_free(seen: Seen, now: u64) -> bool {
    !seen.is_used || seen.is_of_vip || now.wrapping_sub(seen.used_at) >= IDLE
}

/// Holds up another VIP with the same endpoint: its answers could not be told apart.
#[inline(always)]
#[must_use]
pub const fn awaits(seen: Seen, now: u64) -> bool {
    seen.is_used && !seen.is_of_vip && now.wrapping_sub(seen.used_at) < AWAITED
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000_000_000;

    fn seen(is_of_vip: bool, ago: u64) -> Seen {
        Seen { is_used: true, is_of_vip, used_at: NOW - ago }
    }

    #[test]
    fn a_flow_goes_on_until_it_was_idle_for_long() {
        assert!(goes_on(seen(true, IDLE - 1), NOW) && !goes_on(seen(true, IDLE), NOW));
        assert!(!goes_on(seen(false, 0), NOW) && !goes_on(Seen { is_used: false, ..seen(true, 0) }, NOW));
    }

    #[test]
    fn what_another_vip_uses_is_not_written_over() {
        assert!(!is_free(seen(false, 0), NOW) && is_free(seen(false, IDLE), NOW));
        assert!(is_free(seen(true, 0), NOW) && is_free(Seen { is_used: false, ..seen(false, 0) }, NOW));
    }

    #[test]
    fn one_endpoint_answers_for_one_vip_at_a_time() {
        assert!(awaits(seen(false, AWAITED - 1), NOW) && !awaits(seen(false, AWAITED), NOW));
        assert!(!awaits(seen(true, 0), NOW));
    }
}
