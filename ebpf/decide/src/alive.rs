//! Does the TCP path need a message, so that it stays alive (invariant 9)?
//!
//! A redirected connection sends no packets. A NAT on its way forgets it after its time-out, and from then on neither a FIN
//! nor anything else that takes TCP arrives. So every now and then a message takes TCP although it could be redirected.

/// From this size on a message had better wait for a smaller one: in many segments it may meet a reader whose buffer is
/// full, and on some kernels such a reader cannot ask how much more there is (see `evidence`).
const LARGE: u32 = 4096;

/// `idle`: ns since this end last gave TCP a message. `interval`: a quarter of the smallest time-out on the way, in ns; 0:
/// nobody forgets the connection.
#[inline(always)]
pub fn path_needs(idle: u64, interval: u64, size: u32) -> bool {
    if interval == 0 || idle < interval {
        return false;
    }
    size <= LARGE || idle >= interval.saturating_mul(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_messages_keep_the_path_alive_and_large_ones_if_no_other_comes() {
        assert!(!path_needs(99, 100, 1));
        assert!(path_needs(100, 100, 1));
        assert!(!path_needs(199, 100, LARGE + 1));
        assert!(path_needs(200, 100, LARGE + 1));
    }

    #[test]
    fn where_nobody_forgets_nothing_is_needed() {
        assert!(!path_needs(u64::MAX, 0, 1));
    }
}
