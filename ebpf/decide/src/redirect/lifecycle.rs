//! The life of a recorded socket, as its visits decide it: one function over what can be seen of it ([`step`]). The programs only carry it
//! out.
//!
//! ```text
//!                 enters: paired, allowed, both readers take it, it gains
//!     Candidate ------------------------------------------------------> Promoted
//!         ^                                                             |     ^
//!         | removed                                   wanted: a reason  |     | allowed again
//!         |                                                             v     |
//!     Removing <----------------------------------------------------- Leaving
//!                 decided: no call of the peer, nothing queued
//! ```
//!
//! *Promoted* is early (before it was accepted: nobody can be blocked on its TCP queue) or late. A reason to leave ([`Step::Leave`], or
//! what sk_msg and those that watch applications have seen) makes it *wanted*; how it gets from there to Candidate without a byte being lost is
//! in [`leaving`](crate::redirect::leaving). At any of them the kernel may take a socket away; its record says where it was.

use meshaccel_abi::redirect::Reason;
use meshaccel_abi::redirect::policy::{EAGER, ENFORCE, OBSERVE, RETIRE};

use crate::redirect::evidence::READ_FIRST;
use crate::redirect::pairing::{Stay, peer_goes_first};

/// What a visit does with a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A candidate enters the SOCKHASH.
    Enter,
    /// A candidate stays on TCP, for this reason.
    Wait(Reason),
    /// A promoted socket is asked to leave, for this reason.
    Leave(Reason),
    /// A promoted socket stays.
    Remain,
}

/// What is seen of a socket. Each is asked for only when what came before allows it: most connections of most nodes are quiet, and all are
/// looked at.
pub trait Seen {
    /// Flags of its pod's policy.
    fn flags(&self) -> u32;
    /// Why policy does not pair it, or nobody is there to be paired with.
    fn unpaired(&self) -> Option<Reason>;
    /// `ROLE_*` of this end.
    fn role(&self) -> u32;
    /// Where the peer is; only of one that is paired.
    fn peer(&self) -> Stay;
    /// The node is switched off: whoever uninstalls takes sockets out while a daemon may still run scans.
    fn is_off(&self) -> bool;
    /// [`Reason`] of its last leaving, 0 for none; `None`: it has no record.
    fn left_for(&self) -> Option<u32>;
    /// Data segments in and out, as TCP has counted them.
    fn segments(&self) -> [u32; 2];
    /// Do both ends read in a way that the redirected queue serves?
    ///
    /// # Errors
    /// What one of them asks for that it does not: see [`demands::reader`](crate::redirect::demands::reader).
    fn readers_take_it(&self) -> Result<(), Reason>;
    /// Has neither application a habit that it does not serve?
    ///
    /// # Errors
    /// Which: see [`habits::may_enter`](crate::redirect::habits::may_enter).
    fn habits_allow(&self) -> Result<(), Reason>;
    /// Did it last leave because redirecting it was no gain?
    fn was_no_gain(&self, left_for: u32) -> bool;
    /// Is it too early to find out again?
    fn stays_out(&mut self) -> bool;
    /// Has its port's history been no gain, and goes it by that?
    fn no_gain_before(&self) -> bool;
    /// Is what it has carried worth it?
    ///
    /// # Errors
    /// Why not: see [`evidence::worth`](crate::redirect::evidence::worth).
    fn is_worth_it(&mut self, no_gain_before: bool) -> Result<(), Reason>;
    /// Has its application left bytes in TCP's queue, which it may never learn of?
    fn leaves_unread(&self) -> bool;
    /// Is nobody there who redirects to it, and none about to come?
    fn is_alone(&self) -> bool;
    /// Has it had unread bytes in its TCP queue since before it entered, and does not read on?
    fn waits_since_before(&mut self) -> bool;
    /// Has its application taken to something that the redirected queue does not serve, or another program to its bytes?
    fn reads_wrongly(&self) -> Option<Reason>;
}

/// What a visit does with a socket that is a candidate, or promoted. `wholly`: of a full resync, which also looks at what changes seldom.
#[inline(always)]
pub fn step(is_candidate: bool, seen: &mut impl Seen, wholly: bool) -> Step {
    if is_candidate {
        return match enters(seen) {
            Ok(()) => Step::Enter,
            Err(reason) => Step::Wait(reason),
        };
    }
    match must_leave(seen, wholly) {
        Some(reason) => Step::Leave(reason),
        None => Step::Remain,
    }
}

#[inline(always)]
fn enters(seen: &mut impl Seen) -> Result<(), Reason> {
    if let Some(reason) = seen.unpaired() {
        return Err(reason);
    }
    let flags = seen.flags();
    if flags & OBSERVE != 0 {
        return Err(Reason::Observing);
    }
    if flags & ENFORCE == 0 {
        return Err(Reason::NotEnforced);
    }
    if seen.is_off() {
        return Err(Reason::SwitchedOff);
    }
    let left_for = seen.left_for().ok_or(Reason::NotRecorded)?;
    // The same question at both ends, so that they enter together: one that is there alone gains nothing.
    let [segments_in, segments_out] = seen.segments();
    if segments_in < READ_FIRST || segments_out < READ_FIRST {
        return Err(Reason::Candidate);
    }
    seen.readers_take_it()?;
    seen.habits_allow()?;
    // It has been there in vain: this time the peer goes first.
    if peer_goes_first(seen.role(), left_for, seen.peer()) {
        return Err(Reason::PeerNotPromoted);
    }
    let was_no_gain = seen.was_no_gain(left_for);
    if was_no_gain && seen.stays_out() {
        return Err(Reason::from_number(left_for).unwrap_or(Reason::Backlogged));
    }
    let no_gain_before = seen.no_gain_before();
    if flags & EAGER == 0 || was_no_gain || no_gain_before {
        seen.is_worth_it(no_gain_before)?;
    }
    if seen.leaves_unread() { Err(Reason::OrderBarrier) } else { Ok(()) }
}

#[inline(always)]
fn must_leave(seen: &mut impl Seen, wholly: bool) -> Option<Reason> {
    if seen.flags() & RETIRE != 0 {
        return Some(Reason::NotEnforced);
    }
    if let Some(reason @ (Reason::ExcludedPort | Reason::NotAppToSidecar | Reason::OtherPod)) = seen.unpaired() {
        return Some(reason);
    }
    if seen.is_alone() {
        return Some(Reason::PeerNotPromoted);
    }
    if seen.waits_since_before() {
        return Some(Reason::TakesBulk);
    }
    if wholly { seen.reads_wrongly() } else { None }
}

#[cfg(test)]
mod tests;
