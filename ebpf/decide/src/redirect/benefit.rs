//! Does a redirected sender gain (invariant 4)? Looked at every [`LOOKS_EVERY`] messages.

use meshaccel_abi::redirect::Reason;
use meshaccel_abi::redirect::connection::LOOKS_EVERY;

/// Mean size from which on messages gain even one way: 16 KiB. Smaller ones lose (0.5-0.6 of plain TCP): TCP packs many
/// into one segment, redirection takes each by itself.
pub const GAINS_ONE_WAY: u64 = 16 * 1024;

/// How many looks in a row must find the same: a stream gets there within milliseconds, a burst does not.
pub const LOOKS: u32 = 32;

/// Why it does not gain, after `one_way_looks` looks in a row at which the peer had sent nothing, while this end sent
/// `bytes`, and `passed_looks` looks in a row at which most messages had passed.
#[inline(always)]
pub fn none(one_way_looks: u32, bytes: u64, passed_looks: u32) -> Option<Reason> {
    if one_way_looks >= LOOKS && bytes < GAINS_ONE_WAY.wrapping_mul(LOOKS_EVERY).wrapping_mul(one_way_looks as u64) {
        return Some(Reason::OneWay);
    }
    if passed_looks >= LOOKS { Some(Reason::Backlogged) } else { None }
}

/// How long an end stays out after it has left for the `leaves`th time, in ns: 1 s, 2 s, 4 s ... 64 s. What it sends then
/// may be of another kind; that it changes all the time is no reason to follow it.
#[inline(always)]
fn stays_out(leaves: u32) -> u64 {
    1_000_000_000u64 << if leaves > 7 { 6 } else { leaves.saturating_sub(1) }
}

/// When it may come back after it has left at `left_at`, in ns; 0: it never left.
#[inline(always)]
pub fn back_at(left_at: u64, leaves: u32) -> u64 {
    if leaves == 0 { 0 } else { left_at.wrapping_add(stays_out(leaves)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_messages_without_any_in_return_are_no_gain() {
        let small = 64 * u64::from(LOOKS) * 100;
        assert_eq!(none(LOOKS, small, 0), Some(Reason::OneWay));
        assert_eq!(none(LOOKS - 1, 0, 0), None);
        assert_eq!(none(LOOKS, 64 * u64::from(LOOKS) * 60_000, 0), None);
    }

    #[test]
    fn messages_that_pass_anyway_are_no_gain() {
        assert_eq!(none(0, 0, LOOKS), Some(Reason::Backlogged));
        assert_eq!(none(0, 0, LOOKS - 1), None);
    }

    #[test]
    fn who_leaves_again_and_again_stays_out_longer() {
        let seconds: Vec<u64> = (1..10).map(|leaves| stays_out(leaves) / 1_000_000_000).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
    }
}
