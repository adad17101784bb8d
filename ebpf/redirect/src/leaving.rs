//! A promoted socket leaves the SOCKHASH. Whoever sees why it must ([`want`]) writes that into its record and puts it among
//! those that are to leave; a visit carries it out by the protocol of `meshaccel_decide::redirect::leaving` ([`leave`]).

use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use meshaccel_abi::redirect::connection::{
    PEER_UNKNOWN, STATE_CANDIDATE, STATE_PROMOTED_EARLY, STATE_PROMOTED_LATE, STATE_REMOVING, leaving,
};
use meshaccel_abi::redirect::visit::{DONE, LEFT, PENDING, PENDING_GATE, WAKE};
use meshaccel_abi::redirect::{Connection, EndId, EndRecord, Event, Reason, SocketMark};
use meshaccel_decide::redirect::leaving::{Attempt, Socket, attempt, drains, is_stuck};

use crate::barrier::{add, barrier, replace};
use crate::maps::{ma_ends, ma_leavers};
use crate::promote::unread;
use crate::record::mark;
use crate::socket::{Other, Own};
use crate::{counters, evict};

/// Has a promoted socket leave. Not inlined: its callers have little of the stack left.
#[inline(never)]
pub fn want(id: &EndId, reason: u32) {
    let Some(record) = ma_ends.get_ptr_mut(*id) else { return };
    // SAFETY: readable while the program runs (RCU). Several may write a reason at once; any of them will do.
    unsafe {
        if read_volatile(&raw const (*record).state) == STATE_CANDIDATE
            || read_volatile(&raw const (*record).wanted) != 0
        {
            return;
        }
        write_volatile(&raw mut (*record).wanted_since, bpf_ktime_get_ns());
        write_volatile(&raw mut (*record).wanted, reason);
    }
    announce(id, record);
}

/// Tells the daemon of a socket that is to leave. Should there be no room (or no daemon), the full resync finds it.
#[inline(always)]
pub fn announce(id: &EndId, record: *const EndRecord) {
    // SAFETY: readable while the program runs (RCU); neither field ever changes.
    let (since, netns_cookie) = unsafe { ((*record).wanted_since, (*record).key.netns_cookie) };
    let _ = ma_leavers.output(SocketMark { since, netns_cookie, id: *id, zero: 0 }, 0);
}

/// Tries to take out the socket of the running program, which is to leave. Not `WHOLLY`: as far as that goes without changing
/// the SOCKHASH; it stays forbidden to redirect to it.
#[inline(never)]
pub fn leave<const WHOLLY: bool>(own: Own, connection: &mut Connection) -> u32 {
    let Some(record) = ma_ends.get_ptr_mut(connection.id) else { return DONE };
    // SAFETY: this end's own record; readable while the program runs (RCU).
    let (wanted, since) = unsafe { (read_volatile(&raw const (*record).wanted), (*record).wanted_since) };
    if wanted == 0 || connection.membership.state == STATE_CANDIDATE {
        // One that was asked while it left is asked again when it is there again.
        return DONE;
    }
    // SAFETY: no arguments.
    let wanted_for = unsafe { bpf_ktime_get_ns() }.wrapping_sub(since);
    let drains = drains(wanted, connection.membership.attempts);
    let stuck = drains && is_stuck(wanted_for);
    let left = if WHOLLY { 0 } else { LEFT };
    let mut leaver = Leaver::<WHOLLY> { own, connection, record, forbidden: 0 };
    let attempt = if leaver.state() == STATE_REMOVING {
        // Whoever has decided has not come to remove it, or is about to.
        leaver.remove();
        Attempt::Left
    } else {
        attempt(&mut leaver, drains, stuck)
    };
    match attempt {
        // Its reader may have been told that nothing was there, or less than there is.
        Attempt::Left if unread(own) => {
            // SAFETY: as above.
            unsafe { write_volatile(&raw mut (*record).wake_reader, 1) };
            counters::event(Event::Rescued);
            WAKE | left
        }
        Attempt::Left => DONE | left,
        Attempt::Kept | Attempt::Draining if wanted == Reason::TogglesBlocking as u32 => PENDING_GATE,
        Attempt::Kept | Attempt::Draining => PENDING,
    }
}

/// A socket that leaves, and its peer.
struct Leaver<'a, const WHOLLY: bool> {
    own: Own,
    connection: &'a mut Connection,
    record: *mut EndRecord,
    /// What its record says since this attempt has forbidden.
    forbidden: u32,
}

impl<const WHOLLY: bool> Leaver<'_, WHOLLY> {
    #[inline(always)]
    fn state(&self) -> u32 {
        // SAFETY: this end's own record; readable while the program runs (RCU).
        unsafe { read_volatile(&raw const (*self.record).state) }
    }

    #[inline(always)]
    fn replace(&mut self, from: u32, to: u32) -> bool {
        // SAFETY: as above.
        replace(unsafe { &raw mut (*self.record).state }, from, to)
    }
}

impl<const WHOLLY: bool> Socket for Leaver<'_, WHOLLY> {
    #[inline(always)]
    fn forbid(&mut self) -> bool {
        let seen = self.state();
        if seen == STATE_CANDIDATE || seen == STATE_REMOVING {
            return false;
        }
        self.forbidden = leaving(add(&raw mut self.connection.membership.attempts, 1) as u32);
        self.replace(seen, self.forbidden)
    }
    #[inline(always)]
    fn allow(&mut self) {
        let state = self.connection.membership.state;
        // As it was promoted, which its storage has kept.
        if state == STATE_PROMOTED_EARLY || state == STATE_PROMOTED_LATE {
            self.replace(self.forbidden, state);
        }
    }
    #[inline(always)]
    fn decide(&mut self) -> bool {
        self.replace(self.forbidden, STATE_REMOVING)
    }
    #[inline(always)]
    fn barrier(&mut self) {
        barrier(&raw mut self.connection.membership.attempts);
    }
    #[inline(always)]
    fn peer_is_in_a_call(&mut self) -> bool {
        let (socket, cookie) = match ma_ends.get_ptr(self.connection.id.peer()) {
            // SAFETY: readable while the program runs (RCU).
            Some(peer) => unsafe { ((*peer).socket, (*peer).key.socket_cookie) },
            // It has closed, or was never recorded.
            None if self.connection.peer.state == PEER_UNKNOWN => return false,
            None => (self.connection.peer.socket, self.connection.peer.key.socket_cookie),
        };
        let peer = Other(socket);
        // Whose memory is another socket's by now was closed, and so in no call.
        peer.cookie() == Some(cookie) && peer.calls() != Some(0)
    }
    #[inline(always)]
    fn is_drained(&mut self) -> bool {
        self.own.redirected_queue_empty() == Some(true)
    }
    #[inline(always)]
    fn remove(&mut self) {
        if WHOLLY {
            evict::own(self.connection);
            // When it may come back is for the next scan to say.
            mark(self.connection);
        }
    }
}

/// A visit of the full resync: tries it, and tells the daemon when that does not succeed, for it may not know.
#[inline(always)]
pub fn reviewed(own: Own, connection: &mut Connection) -> u32 {
    let outcome = leave::<true>(own, connection);
    if (outcome == PENDING || outcome == PENDING_GATE)
        && let Some(record) = ma_ends.get_ptr(connection.id)
    {
        announce(&connection.id, record);
    }
    outcome
}
