//! sk_msg: redirects or passes each message of a promoted socket. Whatever goes wrong, the message passes (invariant 6). The
//! one exception is a stream that cannot be saved: see [`too_late`].

use core::ffi::c_void;
use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::bindings::{BPF_F_INGRESS, sk_msg_md};
use aya_ebpf::helpers::generated::{bpf_ktime_get_coarse_ns, bpf_msg_redirect_hash};
use aya_ebpf::macros::sk_msg;
use aya_ebpf::programs::SkMsgContext;
use meshaccel_abi::redirect::connection::{GIVEN_UP, PEER_READY, PEER_UNKNOWN, STATE_BITS};
use meshaccel_abi::redirect::habit::SPLICES;
use meshaccel_abi::redirect::policy::{ENFORCE, NODE_SWITCH, POD_SWITCHES};
use meshaccel_abi::redirect::{Connection, EndRecord, Event, Policy, Reason};
use meshaccel_decide::redirect::demands::Reading;
use meshaccel_decide::redirect::habits::may_receive;
use meshaccel_decide::redirect::verdict::{Peer, Queue, Sender, verdict};
use meshaccel_decide::redirect::{keepalive, leaving};

use crate::barrier::barrier;
use crate::leaving::want;
use crate::maps::{address, ma_ends, ma_sockets, offset};
use crate::socket::{Other, Own, TCP_ESTABLISHED};
use crate::switch::is_off;
use crate::whole::make_whole;
use crate::{benefit, call, counters, habits, pair, record};

/// `SK_PASS`
const SK_PASS: u32 = 1;
/// `SK_DROP`: the send call fails with EACCES.
const SK_DROP: u32 = 0;

#[sk_msg]
pub fn ma_skmsg(ctx: SkMsgContext) -> u32 {
    let size = ctx.size();
    // SAFETY: a field of the context.
    let socket: *mut c_void = unsafe { (*ctx.msg).__bindgen_anon_3.sk.cast() };
    let (Some(connection), Some(own)) = (record::find(socket), Own::new(socket)) else {
        counters::message(Reason::NotRecorded as u32, size);
        return SK_PASS;
    };
    let reason = match redirect(ctx.msg, connection, own, size) {
        Ok(()) => {
            connection.sender.redirected.messages += 1;
            connection.sender.redirected.bytes += u64::from(size);
            Reason::Redirected
        }
        Err(reason) => {
            make_whole(ctx.msg, own, size);
            // Its bytes go through TCP now: the peer must have read them before the next redirect.
            connection.sender.clean = 0;
            // SAFETY: no arguments.
            connection.sender.passed_at = unsafe { bpf_ktime_get_coarse_ns() };
            connection.sender.passed.bytes += u64::from(size);
            connection.sender.passed.messages += 1;
            if falls_behind(connection) {
                if reason == Reason::ReaderSplices && too_late(connection) {
                    counters::message(Reason::SpliceTooLate as u32, size);
                    connection.reason = Reason::SpliceTooLate as u32;
                    return SK_DROP;
                }
                want(&connection.id.peer(), leaving::behind(reason) as u32);
            } else if matches!(reason, Reason::BlockingReader | Reason::ReaderOptions) {
                want(&connection.id.peer(), reason as u32);
            }
            reason
        }
    };
    connection.reason = reason as u32;
    counters::message(reason as u32, size);
    benefit::weigh(connection);
    SK_PASS
}

/// This message goes to the TCP queue, and redirected ones before it are unread. tcp_bpf_recvmsg does not go on from one queue
/// into the other: the reader will be given less than it asked for although more is there. One that is told of bytes once
/// (EPOLLET) and takes that for the end of what is there, as nginx and tokio do, would wait for ever. So such a reader is
/// taken out of the SOCKHASH, to where there is one queue, and woken.
#[inline(always)]
fn falls_behind(connection: &Connection) -> bool {
    connection.peer.state != PEER_UNKNOWN
        && Other(connection.peer.socket).redirected_queue_empty() == Some(false)
        && Other(connection.peer.socket).cookie() == Some(connection.peer.key.socket_cookie)
}

/// The reader splices from this very socket, and redirected bytes are waiting that splice does not see: what passed now
/// would be read in their place. An error tells both ends that the stream is broken; going on would not.
#[inline(always)]
fn too_late(connection: &Connection) -> bool {
    // SAFETY: readable while the program runs (RCU).
    ma_ends.get_ptr(connection.id.peer()).is_some_and(|peer| unsafe { (*peer).habits } & SPLICES != 0)
}

/// Whoever finds no gain leaves at the next scan. Should none come, because no daemon runs or the reader does not read, it is
/// found out again.
#[inline(always)]
fn gain(connection: &mut Connection) -> Option<Reason> {
    if connection.gain.no_gain == 0 {
        return None;
    }
    // SAFETY: no arguments.
    if unsafe { bpf_ktime_get_coarse_ns() }.wrapping_sub(connection.gain.given_up_at) as i64 >= GIVEN_UP as i64 {
        record::forget_gain(connection);
        return None;
    }
    Reason::from_number(connection.gain.no_gain)
}

#[inline(always)]
fn redirect(msg: *mut sk_msg_md, connection: &mut Connection, own: Own, size: u32) -> Result<(), Reason> {
    // Between this call's reference to its sk_psock and the peer's state: see `meshaccel_decide::redirect::leaving`.
    barrier(&raw mut connection.sender.decided);
    let policy = record::policy_in(connection.slot, connection.key.netns_cookie).ok_or(Reason::NotEnforced)?;
    if connection.peer.state == PEER_UNKNOWN {
        let peer = pair::find(connection, policy.flags)?;
        pair::write(connection, peer);
        counters::event(Event::Paired);
    }
    if connection.peer.file == 0 {
        // It may have been accepted meanwhile.
        connection.peer.file = Other(connection.peer.socket).file();
    }
    // SAFETY: readable while the program runs (RCU).
    let peer = ma_ends.get_ptr(connection.id.peer()).map(|peer| unsafe { &*peer });
    let habits = habits::of_peer(connection, peer);
    let peer_refuses = may_receive(habits, habits::is_known(connection), &habits::kernel()).err();
    let no_gain = gain(connection);
    let sender = sender(connection, policy, own, size, no_gain, peer_refuses);
    connection.sender.received_sequence = own.received_sequence();
    let order = &raw mut connection.ordered;
    let next = verdict(&sender, &Recorded { connection, record: peer, order })?;
    if let Some(record) =
        ma_ends.get_ptr_mut(connection.id.peer()).filter(|_| connection.sender.redirected.messages == 0)
    {
        // SAFETY: readable while the program runs (RCU); nobody else writes it.
        unsafe { write_volatile(&raw mut (*record).redirected_to, 1) };
    }
    // SAFETY: the context of this program, and a key that nobody else writes. Not copied: on BPF that is a loop over 56 bytes.
    let found = unsafe {
        let key = &raw mut connection.peer.key;
        bpf_msg_redirect_hash(msg, address(&ma_sockets), key.cast(), BPF_F_INGRESS.into())
    };
    // 0 is SK_DROP: the peer is not (any more) under that key. Returning it would fail the send; nothing was redirected
    // yet, so the message can still pass. And it vouches for all that was read of the peer above: the key holds the
    // socket's cookie, so the socket that is there now has been the one at that address all along.
    if found as u32 != SK_PASS {
        // It closed, or left the SOCKHASH and may have come back under another key. Who passes bytes to one that is there
        // must know it, to look after it.
        connection.peer.state = PEER_UNKNOWN;
        if let Ok(peer) = pair::find(connection, policy.flags) {
            pair::write(connection, peer);
        }
        return Err(Reason::PeerGone);
    }
    connection.peer.state = PEER_READY;
    connection.sender.clean = 1;
    connection.sender.clean_sequence = sender.write_sequence;
    connection.sender.messages = next.messages;
    connection.sender.bytes = next.bytes;
    Ok(())
}

#[inline(always)]
fn sender(
    connection: &Connection,
    policy: &Policy,
    own: Own,
    size: u32,
    no_gain: Option<Reason>,
    peer_refuses: Option<Reason>,
) -> Sender {
    // A pod that is switched off sees its packets again in both directions, so both ends' switches and policies count.
    let same_pod = connection.slot == connection.peer.slot;
    let interval = if own.state() == TCP_ESTABLISHED { Interval::Open } else { Interval::HalfClosed };
    let (mut peer_enforced, mut keep_alive) = (true, interval.of(policy));
    if !same_pod {
        let peer = record::policy_in(connection.peer.slot, connection.peer.key.netns_cookie);
        peer_enforced = peer.is_some_and(|peer| peer.flags & ENFORCE != 0);
        // The way leads through both pods.
        keep_alive = keepalive::between_pods(peer.map_or(keep_alive, |peer| keep_alive.min(interval.of(peer))));
    }
    // SAFETY: no arguments. Coarse (to a timer tick) is enough for seconds, and costs next to nothing.
    let idle = unsafe { bpf_ktime_get_coarse_ns() }.saturating_sub(connection.sender.passed_at);
    Sender {
        node_off: is_off(NODE_SWITCH),
        pod_off: is_off(POD_SWITCHES + connection.slot) || (!same_pod && is_off(POD_SWITCHES + connection.peer.slot)),
        enforced: policy.flags & ENFORCE != 0 && peer_enforced,
        path: keepalive::path(idle, keep_alive, size),
        no_gain,
        peer_refuses,
        sending: own.sending(call::flags()),
        blocking_waits: offset!(blocking_waits) != 0,
        unacknowledged: own.received_sequence().wrapping_sub(own.acknowledged_sequence()),
        received: own.received_sequence().wrapping_sub(connection.sender.received_sequence),
        last_verdict: connection.reason,
        peer_state: connection.peer.state,
        write_sequence: own.write_sequence(),
        clean_sequence: if connection.sender.clean != 0 { Some(connection.sender.clean_sequence) } else { None },
        messages: connection.sender.messages,
        bytes: connection.sender.bytes,
        max_messages: policy.max_messages,
        max_bytes: policy.max_bytes,
        size,
    }
}

/// How long a NAT on the way remembers this connection: for less time once one side has closed. The sender's own state tells, since a
/// FIN takes TCP: who has received one and still sends is in CLOSE_WAIT.
#[derive(Clone, Copy)]
enum Interval {
    Open,
    HalfClosed,
}

impl Interval {
    #[inline(always)]
    fn of(self, policy: &Policy) -> u64 {
        match self {
            Self::Open => policy.keep_alive,
            Self::HalfClosed => policy.keep_alive_half_closed,
        }
    }
}

/// The peer: its record, and as it was written down at this end.
struct Recorded<'a> {
    connection: &'a Connection,
    record: Option<&'static EndRecord>,
    /// For barriers: this end's [`Connection::ordered`].
    order: *mut u64,
}

impl Peer for Recorded<'_> {
    #[inline(always)]
    fn record(&self) -> Option<(u32, u32)> {
        let record = self.record?;
        // SAFETY: the value stays readable while the program runs (RCU). `state` is written last, so it is read first.
        let state = unsafe { read_volatile(&raw const record.state) } & STATE_BITS;
        if self.connection.peer.state != PEER_READY {
            barrier(self.order);
        }
        // SAFETY: as above.
        Some((state, unsafe { read_volatile(&raw const record.copied_at_promotion) }))
    }
    #[inline(always)]
    fn copied_sequence(&self) -> Option<u32> {
        Other(self.connection.peer.socket).copied_sequence()
    }
    #[inline(always)]
    fn reading(&self) -> Option<Reading> {
        Other(self.connection.peer.socket).reading(self.connection.peer.file)
    }
    #[inline(always)]
    fn queue(&self) -> Option<Queue> {
        Other(self.connection.peer.socket).queue()
    }
    #[inline(always)]
    fn waits_for_acknowledgement(&self) -> bool {
        Other(self.connection.peer.socket).waits_for_acknowledgement()
    }
}
