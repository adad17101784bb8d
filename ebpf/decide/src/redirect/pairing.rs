//! May messages be redirected between these two ends, which sequence numbers have shown to be one connection?

use meshaccel_abi::redirect::connection::{SIDE_EXCLUDED, SIDE_SIDECAR, STATE_CANDIDATE};
use meshaccel_abi::redirect::policy::{ANY_PAIR, NODE_LOCAL};
use meshaccel_abi::redirect::{Reason, Role};

/// One end, as far as policy looks at it.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// Slot of its pod.
    pub slot: u32,
    /// `SIDE_*`.
    pub side: u32,
    /// Flags of its pod's policy.
    pub flags: u32,
}

/// `Ok` when policy of both ends allows it.
///
/// # Errors
/// [`Reason::ExcludedPort`], [`Reason::NotAppToSidecar`] within a pod, [`Reason::OtherPod`] between two.
#[inline(always)]
pub fn allowed(local: &End, peer: &End) -> Result<(), Reason> {
    if local.side == SIDE_EXCLUDED || peer.side == SIDE_EXCLUDED {
        return Err(Reason::ExcludedPort);
    }
    let any = local.flags & peer.flags & ANY_PAIR != 0;
    let (local_sidecar, peer_sidecar) = (local.side == SIDE_SIDECAR, peer.side == SIDE_SIDECAR);
    if local.slot == peer.slot {
        return if any || local_sidecar != peer_sidecar { Ok(()) } else { Err(Reason::NotAppToSidecar) };
    }
    // Between pods both must agree: a pod cannot be drawn in by its neighbour's policy.
    if local.flags & peer.flags & NODE_LOCAL == 0 {
        return Err(Reason::OtherPod);
    }
    if any || (local_sidecar && peer_sidecar) { Ok(()) } else { Err(Reason::OtherPod) }
}

/// Whether a candidate is in the SOCKHASH, or why it left.
#[derive(Clone, Copy, Debug)]
pub struct Stay {
    /// `STATE_*`.
    pub state: u32,
    /// [`Reason`] of its last leaving.
    pub left_for: u32,
}

/// Does a candidate of this role wait until its peer is there? One that was there in vain does. When
/// both were, one after the other, the passive one goes first, or both would wait for ever.
#[inline(always)]
pub fn peer_goes_first(role: u32, left_for: u32, peer: Stay) -> bool {
    let in_vain = Reason::PeerNotPromoted as u32;
    if left_for != in_vain || peer.state != STATE_CANDIDATE {
        return false;
    }
    peer.left_for != in_vain || role == Role::Active as u32
}

#[cfg(test)]
mod tests {
    use meshaccel_abi::redirect::connection::SIDE_APP;
    use proptest::prelude::*;

    use super::*;

    fn end(slot: u32, side: u32, flags: u32) -> End {
        End { slot, side, flags }
    }

    #[test]
    fn within_a_pod_only_application_to_sidecar() {
        let (app, sidecar) = (end(1, SIDE_APP, 0), end(1, SIDE_SIDECAR, 0));
        assert_eq!(allowed(&app, &sidecar), Ok(()));
        assert_eq!(allowed(&sidecar, &app), Ok(()));
        assert_eq!(allowed(&app, &app), Err(Reason::NotAppToSidecar));
        assert_eq!(allowed(&sidecar, &sidecar), Err(Reason::NotAppToSidecar));
        assert_eq!(allowed(&end(1, SIDE_APP, ANY_PAIR), &end(1, SIDE_APP, ANY_PAIR)), Ok(()));
    }

    #[test]
    fn between_pods_both_policies_must_say_so() {
        let local = |slot| end(slot, SIDE_SIDECAR, NODE_LOCAL);
        assert_eq!(allowed(&local(1), &local(2)), Ok(()));
        assert_eq!(allowed(&local(1), &end(2, SIDE_SIDECAR, 0)), Err(Reason::OtherPod));
        assert_eq!(allowed(&local(1), &end(2, SIDE_APP, NODE_LOCAL)), Err(Reason::OtherPod));
        let any = |slot, flags| end(slot, SIDE_APP, ANY_PAIR | flags);
        assert_eq!(allowed(&any(1, NODE_LOCAL), &any(2, NODE_LOCAL)), Ok(()));
        assert_eq!(allowed(&any(1, NODE_LOCAL), &any(2, 0)), Err(Reason::OtherPod));
    }

    #[test]
    fn who_was_there_in_vain_waits_for_its_peer_and_never_both_for_each_other() {
        let (in_vain, other) = (Reason::PeerNotPromoted as u32, Reason::SwitchedOff as u32);
        for (own, peers) in [(in_vain, in_vain), (in_vain, other), (other, in_vain), (other, other), (0, 0)] {
            let waits = |role: Role, left_for, peer| {
                peer_goes_first(role as u32, left_for, Stay { state: STATE_CANDIDATE, left_for: peer })
            };
            let (active, passive) = (waits(Role::Active, own, peers), waits(Role::Passive, peers, own));
            assert!(!(active && passive), "{own} {peers}");
            assert_eq!(active, own == in_vain, "{own} {peers}");
        }
        for role in [Role::Active, Role::Passive] {
            assert!(!peer_goes_first(role as u32, in_vain, Stay { state: 2, left_for: 0 }), "a peer that is there");
        }
    }

    proptest! {
        #[test]
        fn both_ends_come_to_the_same_answer(a in 0u32..3, b in 0u32..3, x in 0u32..3, y in 0u32..3, f in 0u32..64, g in 0u32..64) {
            prop_assert_eq!(allowed(&end(a, x, f), &end(b, y, g)), allowed(&end(b, y, g), &end(a, x, f)));
        }

        #[test]
        fn an_excluded_port_excludes(slot in 0u32..2, side in 0u32..2, flags in 0u32..64) {
            prop_assert_eq!(allowed(&end(0, SIDE_EXCLUDED, flags), &end(slot, side, flags)), Err(Reason::ExcludedPort));
        }
    }
}
