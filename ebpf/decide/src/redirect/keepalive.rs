//! Does the TCP path need a message, so that it stays alive (invariant 9)?
//!
//! A redirected connection sends no packets. A NAT on its way forgets it after its time-out, and from then on neither a FIN
//! nor anything else that takes TCP arrives. So every now and then a message takes TCP although it could be redirected.

/// From this size on a message had better wait for a smaller one: in many segments it may meet a reader whose buffer is
/// full, and on some kernels such a reader cannot ask how much more there is (see `evidence`).
const LARGE: u32 = 4096;

/// How often a message between two pods takes TCP at least, in ns: half a second, and so (see [`Path::Overdue`]) every second and a half
/// whatever there is. There is more on that way than inside a pod, which may come to forbid the connection: a NetworkPolicy,
/// a filter of the node. Then that message does not arrive, and none may be redirected before it has.
const BETWEEN_PODS: u64 = 500_000_000;

/// The interval of a connection between two pods, of which one alone would have this one.
#[inline(always)]
pub fn between_pods(interval: u64) -> u64 {
    if interval == 0 || interval > BETWEEN_PODS { BETWEEN_PODS } else { interval }
}

/// Does the path need this message?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// No.
    Fresh,
    /// If nothing redirected is unread before it.
    Due,
    /// Whatever is: on a stream something always may be.
    Overdue,
}

/// `idle`: ns since this end last gave TCP a message. `interval`: a quarter of the smallest time-out on the way, in ns; 0:
/// nobody forgets the connection.
#[inline(always)]
pub fn path(idle: u64, interval: u64, size: u32) -> Path {
    if interval == 0 || idle < interval {
        return Path::Fresh;
    }
    // A sum, since BPF has no multiplication that saturates.
    if idle >= interval.saturating_add(interval).saturating_add(interval) {
        return Path::Overdue;
    }
    if size <= LARGE || idle >= interval.saturating_mul(2) { Path::Due } else { Path::Fresh }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_messages_keep_the_path_alive_and_large_ones_if_no_other_comes() {
        assert_eq!(path(99, 100, 1), Path::Fresh);
        assert_eq!(path(100, 100, 1), Path::Due);
        assert_eq!(path(199, 100, LARGE + 1), Path::Fresh);
        assert_eq!(path(200, 100, LARGE + 1), Path::Due);
        assert_eq!(path(300, 100, 1), Path::Overdue);
    }

    #[test]
    fn between_pods_the_way_is_tried_twice_a_second() {
        for interval in [0, BETWEEN_PODS + 1, u64::MAX] {
            assert_eq!(between_pods(interval), BETWEEN_PODS);
        }
        assert_eq!(between_pods(7), 7);
    }

    #[test]
    fn where_nobody_forgets_nothing_is_needed() {
        assert_eq!(path(u64::MAX, 0, 1), Path::Fresh);
    }
}
