//! What a visit sees of a socket, for `meshaccel_decide::redirect::lifecycle` to decide by.

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use meshaccel_abi::redirect::connection::{SIDE_SIDECAR, STATE_CANDIDATE};
use meshaccel_abi::redirect::policy::{ANY_PAIR, NODE_SWITCH};
use meshaccel_abi::redirect::{Connection, Policy, Reason};
use meshaccel_decide::redirect::benefit::back_at;
use meshaccel_decide::redirect::demands;
use meshaccel_decide::redirect::evidence::{Evidence, worth};
use meshaccel_decide::redirect::habits::may_enter;
use meshaccel_decide::redirect::lifecycle::Seen;
use meshaccel_decide::redirect::pairing::Stay;
use meshaccel_decide::redirect::port_history::goes_by_others;

use crate::maps::{ma_ends, offset};
use crate::promote::{habits_allow, unread};
use crate::record::is_no_gain;
use crate::socket::{Other, Own};
use crate::switch::is_off;
use crate::{habits, pair, port_history};

/// How long an eagerly promoted active end may wait for its peer: 1 s.
const GRACE: u64 = 1_000_000_000;

/// How long a reader that works may leave bytes unread on a busy machine: half a second. One that does not know of them
/// waits for so long before it is woken.
const READS_WITHIN: u64 = 500_000_000;

/// A socket that is visited.
pub struct Visited<'a> {
    pub own: Own,
    pub connection: &'a mut Connection,
    pub policy: &'a Policy,
    pub peer: pair::Found,
}

impl Seen for Visited<'_> {
    #[inline(always)]
    fn flags(&self) -> u32 {
        self.policy.flags
    }
    #[inline(always)]
    fn unpaired(&self) -> Option<Reason> {
        self.peer.err()
    }
    #[inline(always)]
    fn role(&self) -> u32 {
        self.connection.id.role
    }
    #[inline(always)]
    fn peer(&self) -> Stay {
        match self.peer {
            Ok(peer) => Stay { state: peer.state, left_for: peer.left_for },
            Err(_) => Stay { state: STATE_CANDIDATE, left_for: 0 },
        }
    }
    #[inline(always)]
    fn is_off(&self) -> bool {
        is_off(NODE_SWITCH)
    }
    #[inline(always)]
    fn left_for(&self) -> Option<u32> {
        // SAFETY: this end's own record; readable while the program runs (RCU).
        ma_ends.get_ptr(self.connection.id).map(|record| unsafe { (*record).left_for })
    }
    #[inline(always)]
    fn segments(&self) -> [u32; 2] {
        [self.own.segments_in(), self.own.segments_out()]
    }
    /// A blocking receive call on a socket in a SOCKHASH, for one, waits once: a wake-up without bytes (a signal, write space, the
    /// acknowledgement of its own FIN) ends it with EAGAIN (tcp_bpf_recvmsg, all kernels so far), which no program expects. So both
    /// descriptors must be non-blocking, as those of every sidecar and event loop are.
    #[inline(always)]
    fn readers_take_it(&self) -> Result<(), Reason> {
        let (own, peer) = (Other(self.own.address()), Other(self.connection.peer.socket));
        if self.own.zero_copy() {
            return Err(Reason::SenderFlags);
        }
        if own.is_diverted() || peer.is_diverted() {
            return Err(Reason::InAnotherSockmap);
        }
        for end in [own, peer] {
            let reading = end.reading(end.file()).ok_or(Reason::PeerUnreadable)?;
            demands::reader(&reading, offset!(blocking_waits) != 0)?;
        }
        Ok(())
    }
    #[inline(always)]
    fn habits_allow(&self) -> Result<(), Reason> {
        habits_allow(self.connection, self.peer?)
    }
    #[inline(always)]
    fn was_no_gain(&self, left_for: u32) -> bool {
        is_no_gain(left_for)
    }
    #[inline(always)]
    fn stays_out(&mut self) -> bool {
        if self.connection.baseline.set == 0 {
            self.count_from_now();
        }
        now() < back_at(self.connection.membership.left_at, self.connection.membership.leaves)
    }
    #[inline(always)]
    fn no_gain_before(&self) -> bool {
        let age = now().wrapping_sub(self.connection.recorded_at);
        goes_by_others(self.connection.membership.leaves, age) && port_history::no_gain_before(self.connection)
    }
    #[inline(always)]
    fn is_worth_it(&mut self, no_gain_before: bool) -> Result<(), Reason> {
        let (own, baseline) = (self.own, &self.connection.baseline);
        let worth = worth(&Evidence {
            segments_in: own.segments_in().wrapping_sub(baseline.segments_in),
            segments_out: own.segments_out().wrapping_sub(baseline.segments_out),
            bytes_in: own.bytes_received().wrapping_sub(baseline.bytes_in),
            bytes_out: own.bytes_acked().wrapping_sub(baseline.bytes_out),
            application_reads: self.application_reads(self.connection.side),
            peer_application_reads: self.application_reads(self.connection.peer.side),
            no_gain_before,
        });
        if worth == Err(Reason::OneWay) {
            // Should it begin to go both ways, what came before must not count against it.
            self.count_from_now();
        }
        worth
    }
    /// See `skmsg.rs`. A stream to a sidecar has always some, and its reader always reads on.
    #[inline(always)]
    fn leaves_unread(&self) -> bool {
        self.application_reads(self.connection.side) && unread(self.own)
    }
    /// An eagerly promoted end that nobody pairs with, or one whose peer has closed or has left, costs at every send and gains nothing.
    #[inline(always)]
    fn is_alone(&self) -> bool {
        let late = now().wrapping_sub(self.connection.membership.promoted_at) >= GRACE;
        match self.peer {
            // One that gained nothing stays out for a while; any other may be about to come.
            Ok(peer) => peer.state == STATE_CANDIDATE && (late || is_no_gain(peer.left_for)),
            Err(_) => late,
        }
    }
    /// No sender knows of such bytes. It does not read on though nothing else waits for it.
    #[inline(always)]
    fn waits_since_before(&mut self) -> bool {
        let membership = &mut self.connection.membership;
        if membership.unread_since == 0 {
            return false;
        }
        let (copied, now) = (self.own.copied_sequence(), now());
        if !unread(self.own) {
            membership.unread_since = 0;
            return false;
        }
        if copied != membership.copied_seen {
            membership.copied_seen = copied;
            membership.unread_since = now;
        }
        now.wrapping_sub(membership.unread_since) >= READS_WITHIN && self.own.redirected_queue_empty() == Some(true)
    }
    #[inline(always)]
    fn reads_wrongly(&self) -> Option<Reason> {
        let this = Other(self.own.address());
        let habits = habits::of_port(self.connection.slot, &self.connection.key, &self.connection.id);
        if let Err(reason) = may_enter(habits, &habits::kernel()) {
            return Some(reason);
        }
        match demands::reader(&this.reading(this.file())?, offset!(blocking_waits) != 0) {
            Err(reason @ (Reason::BlockingReader | Reason::ReaderOptions | Reason::InAnotherSockmap)) => Some(reason),
            _ => None,
        }
    }
}

impl Visited<'_> {
    /// Is an end on this side read by an application, as far as anybody knows?
    #[inline(always)]
    fn application_reads(&self, side: u32) -> bool {
        side != SIDE_SIDECAR && self.policy.flags & ANY_PAIR == 0
    }

    #[inline(always)]
    fn count_from_now(&mut self) {
        let (own, baseline) = (self.own, &mut self.connection.baseline);
        baseline.segments_in = own.segments_in();
        baseline.segments_out = own.segments_out();
        baseline.bytes_in = own.bytes_received();
        baseline.bytes_out = own.bytes_acked();
        baseline.set = 1;
    }
}

#[inline(always)]
fn now() -> u64 {
    // SAFETY: no arguments.
    unsafe { bpf_ktime_get_ns() }
}
