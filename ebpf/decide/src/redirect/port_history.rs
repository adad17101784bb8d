//! Are connections of this port worth recording?
//!
//! Recording costs about a tenth of a connection that is opened for one request. So where connections have been short for
//! long, only a sample is recorded at once. Any other is when it has outlived them, and brings back the rest.

use meshaccel_abi::redirect::EndId;

use crate::redirect::evidence::PATIENCE;

/// Short connections in a row from which on only a sample is recorded.
pub const SHORT_IN_A_ROW: u32 = 64;
/// One in so many is recorded then.
pub const SAMPLE: u32 = 16;

/// Leave this connection unrecorded? Both ends come to the same answer when both have learnt the same, since they share
/// both sequence numbers.
#[inline(always)]
pub fn skips(short_lived: u32, id: &EndId) -> bool {
    if short_lived < SHORT_IN_A_ROW {
        return false;
    }
    // Sequence numbers of one host rise with time; a multiplication spreads them (Knuth's constant).
    let mixed = (id.client_sequence ^ id.server_sequence).wrapping_mul(0x9e37_79b1);
    !(mixed >> 16).is_multiple_of(SAMPLE)
}

/// Data segments each way after which an unrecorded connection lives longer than the short ones: 16.
const OUTLIVED: u32 = 16;

/// Is an unrecorded connection, of which TCP counted so many data segments, worth recording after all? A stream to which next to
/// nothing came back is, too: it had better be known, and asks no more from then on.
#[inline(always)]
pub fn outlives(segments_in: u32, segments_out: u32) -> bool {
    (segments_in >= OUTLIVED && segments_out >= OUTLIVED) || segments_out >= PATIENCE
}

/// How long a connection goes by what others of its port gained: 8 s, in ns.
const YOUNG: u64 = 8_000_000_000;

/// Does a connection go by what others of its port gained? One that lives longer, or has been promoted, is judged by what it
/// gained itself, and stays out for a while each time: a load that changes must not be refused for ever.
#[inline(always)]
pub fn goes_by_others(leaves: u32, age: u64) -> bool {
    leaves == 0 && age < YOUNG
}

/// Did a connection that ends pay for its promotion? One that was given up has passed most messages, or carried few.
#[inline(always)]
pub fn pays(redirected: u64, passed: u64) -> bool {
    redirected >= 1000 && redirected / 4 >= passed
}

#[cfg(test)]
mod tests {
    use meshaccel_abi::redirect::Role;

    use super::*;

    #[test]
    fn after_many_short_ones_a_sample_is_recorded() {
        let ids =
            || (0..16_000u32).map(|n| EndId::new(n.wrapping_mul(77_777), n.wrapping_mul(1_234_567), Role::Active));
        assert!(ids().all(|id| !skips(SHORT_IN_A_ROW - 1, &id)));
        let recorded = ids().filter(|id| !skips(SHORT_IN_A_ROW, id)).count();
        assert!((500..2000).contains(&recorded), "{recorded} of 16000");
    }

    #[test]
    fn what_goes_on_outlives_the_short_ones() {
        assert!(!outlives(10, 10) && !outlives(1000, 15) && !outlives(15, 63));
        assert!(outlives(16, 16) && outlives(0, 64));
    }

    #[test]
    fn what_lives_long_is_judged_by_itself() {
        assert!(goes_by_others(0, 7_999_999_999));
        assert!(!goes_by_others(0, 8_000_000_000) && !goes_by_others(1, 0));
    }

    #[test]
    fn both_ends_agree() {
        for n in 0..1000 {
            let id = EndId::new(n * 7, n * 13, Role::Active);
            assert_eq!(skips(100, &id), skips(100, &id.peer()));
        }
    }
}
