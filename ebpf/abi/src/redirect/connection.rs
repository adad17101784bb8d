//! What is kept for each recorded socket.
//!
//! Who writes what is the memory model of code without locks. Each struct of a [`Connection`] says who writes it; nobody else does:
//!
//! * *sock_ops* writes everything once, when the socket becomes established, before anyone else can see the value. Later it writes
//!   [`Baseline::known`] alone.
//! * *A visit* of the socket, by whichever program. Visits of one socket come one after the other ([`EndRecord::visited`]).
//! * *sk_msg* runs under the sender's socket lock, and only for a socket in the SOCKHASH.
//! * A visit takes what is sk_msg's while the socket is not in the SOCKHASH, and as it enters: [`EndRecord::state`] is what makes others
//!   redirect to it, and is written last, behind a barrier.
//!
//! Of an [`EndRecord`], `wanted` and `habits` are written by whoever sees a reason (its peer's sk_msg, a tracepoint, a visit), `sent` and
//! its peer's `redirected_to` by sk_msg, everything else by the socket's own visits. How a removal and its senders agree without a lock, and
//! which orders that needs, is said in one place: `meshaccel_decide::redirect::leaving`.

use crate::redirect::key::{EndId, SocketKey};
use bytemuck::{Pod, Zeroable};

/// The socket is recorded and runs on plain TCP.
pub const STATE_CANDIDATE: u32 = 0;
/// In the SOCKHASH since before it was accepted: no reader can have been blocked on the TCP queue before.
pub const STATE_PROMOTED_EARLY: u32 = 1;
/// In the SOCKHASH since some time when a reader may have been blocked already: see [`Membership::copied_at_promotion`].
pub const STATE_PROMOTED_LATE: u32 = 2;
/// Still in the SOCKHASH, but nobody may redirect to it any more; it leaves once it is drained.
pub const STATE_LEAVING: u32 = 3;

/// Still in the SOCKHASH, and nothing can come to it any more: what is left to do is to remove it.
pub const STATE_REMOVING: u32 = 4;

/// The bits of an [`EndRecord::state`] that are a state. With [`STATE_LEAVING`] the others say whose attempt to take it out that is:
/// see `meshaccel_decide::leaving`.
pub const STATE_BITS: u32 = 0xff;

/// What [`EndRecord::state`] says during an attempt.
#[inline(always)]
pub const fn leaving(ticket: u32) -> u32 {
    STATE_LEAVING | ticket << STATE_BITS.count_ones()
}

/// The application's socket: any that is not the sidecar's.
pub const SIDE_APP: u32 = 0;
/// The socket belongs to the sidecar (by uid, port or loopback source).
pub const SIDE_SIDECAR: u32 = 1;
/// A port of either end is excluded from acceleration.
pub const SIDE_EXCLUDED: u32 = 2;

/// The peer's fields are not known.
pub const PEER_UNKNOWN: u32 = 0;
/// The peer is known by both sequence numbers, and policy allows redirection between the two.
pub const PEER_PAIRED: u32 = 1;
/// As [`PEER_PAIRED`], and a receive call of the peer is known to have completed since it entered the SOCKHASH.
pub const PEER_READY: u32 = 2;

/// An end writes down every so many messages how many it has sent: 16, a power of two.
pub const SAYS_EVERY: u64 = 16;
/// And looks at what its peer has sent: every 64.
pub const LOOKS_EVERY: u64 = 64;

/// How long a sender that found no gain passes its messages without leaving: 1 s, in ns. Then it finds out again.
pub const GIVEN_UP: u64 = 1_000_000_000;

/// Value of the socket storage: what one end knows. A struct for each writer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Connection {
    /// Key under which this socket is, or would be, in the SOCKHASH. Written when it is recorded; its visits count the generation up.
    pub key: SocketKey,
    /// When the socket was recorded, in ns of CLOCK_MONOTONIC.
    pub recorded_at: u64,
    /// Counts barriers of this end, whoever needs one (atomic).
    pub ordered: u64,
    /// Of `sender.redirected.bytes`, those that its pod's total has. Written by its visits.
    pub accounted: u64,
    /// Whom this end is connected to.
    pub peer: Peer,
    /// Its life in the SOCKHASH.
    pub membership: Membership,
    /// What it sends.
    pub sender: Sender,
    /// Whether redirecting that gains.
    pub gain: Gain,
    /// Whether it is worth promoting.
    pub baseline: Baseline,
    /// This end's identity. Written when it is recorded.
    pub id: EndId,
    /// Slot of this end's pod in the policies. Written when it is recorded, and by its visits.
    pub slot: u32,
    /// `SIDE_*` of this end. Written when it is recorded, and by its visits.
    pub side: u32,
    /// [`crate::redirect::Reason`] why the socket is not in the SOCKHASH (written by its visits), or of the last message's verdict when it
    /// is (written by sk_msg).
    pub reason: u32,
}

/// The other end, as far as this one knows it. Written by this end's visits while it is not in the SOCKHASH, and by its sk_msg when it is.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Peer {
    /// Its key; valid when `state` is not [`PEER_UNKNOWN`].
    pub key: SocketKey,
    /// Address of its `tcp_sock`, read with `bpf_probe_read_kernel`. Only trusted in a verdict that then finds the peer in the SOCKHASH
    /// under its cookie: a socket that is still there has not been freed in between.
    pub socket: u64,
    /// Address of the `file` through which it is used, read as `socket` is; 0: not known yet.
    pub file: u64,
    /// [`crate::redirect::PodHabits::changes`] of its pod when `habits` was last found out.
    pub habits_seen: u64,
    /// Slot of its pod.
    pub slot: u32,
    /// `PEER_*`.
    pub state: u32,
    /// Its `SIDE_*`.
    pub side: u32,
    /// [`crate::redirect::habit`] bits of its port.
    pub habits: u32,
}

/// How this end enters and leaves the SOCKHASH. Written by its visits; with `promotion: Eager` by sock_ops, before anybody else sees it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Membership {
    /// When it entered, in ns of CLOCK_MONOTONIC; 0 while it is not there.
    pub promoted_at: u64,
    /// When it last left because that was no gain, in ns of CLOCK_MONOTONIC.
    pub left_at: u64,
    /// When this end was last seen to read, in ns of CLOCK_MONOTONIC, if it entered with unread bytes in its TCP queue and has not been
    /// seen without since; 0: it has.
    pub unread_since: u64,
    /// Barriers of attempts to take it out, three an attempt, since it was promoted: see `meshaccel_decide::redirect::leaving`.
    pub attempts: u64,
    /// `STATE_*`.
    pub state: u32,
    /// `copied_seq` of this socket when it entered late.
    pub copied_at_promotion: u32,
    /// `copied_seq` of this socket at the last visit while `unread_since` is set.
    pub copied_seen: u32,
    /// How often it has left because that was no gain.
    pub leaves: u32,
}

/// What this end sends. Written by its sk_msg, under its socket lock; by a visit only while it is not in the SOCKHASH.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Sender {
    /// How often sk_msg has decided for this end. Its atomic addition is the barrier that a sender owes whoever takes its peer out: see
    /// `meshaccel_decide::redirect::leaving`.
    pub decided: u64,
    /// When it last gave TCP a message (or was promoted), in ns of CLOCK_MONOTONIC.
    pub passed_at: u64,
    /// Messages and bytes that it sent by redirection.
    pub redirected: Counter,
    /// Messages and bytes that it sent through TCP while it was in the SOCKHASH.
    pub passed: Counter,
    /// `write_seq` at which all that was sent through TCP was seen read by the peer.
    pub clean_sequence: u32,
    /// 1 when `clean_sequence` means something.
    pub clean: u32,
    /// Messages redirected since the peer's queue was last seen empty: an upper bound of what is queued.
    pub messages: u32,
    /// Bytes redirected since the peer's queue was last seen empty.
    pub bytes: u32,
    /// `rcv_nxt` of this end when its last message was sent.
    pub received_sequence: u32,
    /// Not used.
    pub zero: u32,
}

/// Whether it gains that this end's messages are redirected. Written by its sk_msg; by a visit when it enters or leaves the SOCKHASH.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Gain {
    /// When this end was found to gain nothing, in ns of CLOCK_MONOTONIC; lapses after [`GIVEN_UP`], should nobody come to take it out.
    pub given_up_at: u64,
    /// Bytes that it had sent when its messages began to go one way.
    pub one_way_bytes: u64,
    /// [`EndRecord::sent`] of the peer when this end last looked.
    pub peer_sent_seen: u32,
    /// How often in a row the peer had sent nothing since.
    pub one_way_looks: u32,
    /// [`crate::redirect::Reason`] why redirecting this end's messages is no gain: they pass, and it leaves; 0: it gains.
    pub no_gain: u32,
    /// `sender.redirected.messages` when this end last looked whether most are.
    pub redirected_seen: u32,
    /// How often in a row most were not.
    pub passed_looks: u32,
    /// Not used.
    pub zero: u32,
}

/// What evidence is counted from. Written by this end's visits; `known` by sock_ops.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Baseline {
    /// What TCP had counted of bytes when evidence began to count: 0, or when this end had left for being one-way.
    pub bytes_in: u64,
    /// The other way.
    pub bytes_out: u64,
    /// The same of data segments.
    pub segments_in: u32,
    /// The other way.
    pub segments_out: u32,
    /// 1 when these four are set.
    pub set: u32,
    /// Data segments both ways when a scan last gave this candidate up.
    pub segments_seen: u32,
    /// 1 when TCP's reports of round trips have told what they can.
    pub known: u32,
    /// Not used.
    pub zero: u32,
}

/// What one end tells the other. Found by [`EndId`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct EndRecord {
    /// This end's key in the SOCKHASH.
    pub key: SocketKey,
    /// Address of this end's `tcp_sock`.
    pub socket: u64,
    /// When it was first asked to leave the SOCKHASH, in ns of CLOCK_MONOTONIC.
    pub wanted_since: u64,
    /// Slot of this end's pod in the policies.
    pub slot: u32,
    /// `SIDE_*`.
    pub side: u32,
    /// `STATE_*`, as of this end's [`Connection`], in [`STATE_BITS`].
    pub state: u32,
    /// As [`Membership::copied_at_promotion`].
    pub copied_at_promotion: u32,
    /// [`crate::redirect::Reason`] why it was last taken out of the SOCKHASH; 0: it was not since it entered.
    pub left_for: u32,
    /// [`crate::redirect::Reason`] why it is to leave the SOCKHASH; 0: it is not.
    pub wanted: u32,
    /// [`crate::redirect::habit`] bits that were seen at this very socket.
    pub habits: u32,
    /// 1 when its reader must be woken once more.
    pub wake_reader: u32,
    /// Messages that this end had sent when it last said so: every [`SAYS_EVERY`] messages.
    pub sent: u32,
    /// 1 when the calls that receive are gated, so that whoever waits for this socket to leave may go on.
    pub gated: u32,
    /// 1 once anything was redirected to this end; written by its peer.
    pub redirected_to: u32,
    /// 1 while a program visits it.
    pub visited: u32,
}

/// Messages and bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Counter {
    /// Messages as sk_msg is shown them: a call that sends, or the part of one that found room.
    pub messages: u64,
    /// Their payload.
    pub bytes: u64,
}

/// One row of the listing iterator.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct ConnectionRow {
    /// What is kept for the socket.
    pub connection: Connection,
    /// Slot, state and side of the peer as far as a record of it exists (`peer_recorded`).
    pub peer: EndRecord,
    /// `tcp_sock.bytes_acked`: payload bytes (and the SYN of an active end) the peer's TCP acknowledged.
    pub tcp_sent: u64,
    /// `tcp_sock.bytes_received`: payload bytes that came through TCP.
    pub tcp_received: u64,
    /// `tcp_sock.data_segs_out`.
    pub segments_out: u32,
    /// `tcp_sock.data_segs_in`.
    pub segments_in: u32,
    /// `sk_state` (TCP_ESTABLISHED = 1, ...).
    pub tcp_state: u32,
    /// 1 when `peer` is filled in.
    pub peer_recorded: u32,
    /// Reads as [`Connection::recorded_at`]'s clock, so that ages need no second clock.
    pub now: u64,
}

/// One row of the importing iterator: a TCP socket that was there before it could be recorded.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct ImportSample {
    /// The socket's cookie.
    pub socket_cookie: u64,
    /// `snd_una - bytes_acked`: the first data sequence number sent (passive end), or one less (active end, whose
    /// bytes_acked counts its SYN).
    pub sent_base: u32,
    /// `rcv_nxt - bytes_received`: the first data sequence number of the peer.
    pub received_base: u32,
}
