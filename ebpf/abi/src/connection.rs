//! What is kept for each recorded socket.
//!
//! Who writes what (there is no lock; each field has one writer at a time):
//! * sock_ops writes everything once, at ESTABLISHED, before anyone else can see the value;
//! * the visiting program writes `state`, `reason` and the peer's fields until the socket is in the SOCKHASH;
//! * sk_msg, which runs under the sender's socket lock, writes the peer's fields from then on, and always owns the
//!   `sender_*` fields;
//! * visits of one socket come one after the other ([`EndRecord::visited`]), whoever runs them;
//! * of an [`EndRecord`], `wanted` and `habits` are written by whoever sees a reason (its peer's sk_msg, a tracepoint, a
//!   visit), everything else by the socket's own visits. How a removal and its senders agree without a lock, and which
//!   orders that needs, is said in one place: `meshaccel_decide::leaving`.

use crate::key::{EndId, SocketKey};
use bytemuck::{Pod, Zeroable};

/// The socket is recorded and runs on plain TCP.
pub const STATE_CANDIDATE: u32 = 0;
/// In the SOCKHASH since before it was accepted: no reader can have been blocked on the TCP queue before.
pub const STATE_PROMOTED_EARLY: u32 = 1;
/// In the SOCKHASH since some time when a reader may have been blocked already: see `copied_at_promotion`.
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

/// Value of the socket storage.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Connection {
    /// Key under which this socket is, or would be, in the SOCKHASH.
    pub key: SocketKey,
    /// Key of the peer; valid when `peer_state` is not [`PEER_UNKNOWN`].
    pub peer_key: SocketKey,
    /// Address of the peer's `tcp_sock`, read with `bpf_probe_read_kernel`. Only trusted in a verdict that then finds
    /// the peer in the SOCKHASH under its cookie: a socket that is still there has not been freed in between.
    pub peer_socket: u64,
    /// When the socket was recorded, in ns of CLOCK_MONOTONIC.
    pub recorded_at: u64,
    /// When it entered the SOCKHASH; 0 while it is not there.
    pub promoted_at: u64,
    /// When this end was found to gain nothing, in ns of CLOCK_MONOTONIC; lapses after [`GIVEN_UP`], should nobody come to
    /// take it out.
    pub given_up_at: u64,
    /// How often sk_msg has decided for this end. Its atomic addition is the barrier that a sender owes whoever takes its
    /// peer out: see `meshaccel_decide::leaving`.
    pub decided: u64,
    /// When this end last gave TCP a message (or was promoted), in ns of CLOCK_MONOTONIC.
    pub passed_at: u64,
    /// Address of the `file` through which the peer is used, read as `peer_socket` is; 0: not known yet.
    pub peer_file: u64,
    /// Bytes that this end had sent when its messages began to go one way.
    pub one_way_bytes: u64,
    /// Barriers of attempts to take this socket out, three an attempt, since it was promoted: see `meshaccel_decide::leaving`.
    pub attempts: u64,
    /// Counts the other barriers of this end.
    pub ordered: u64,
    /// [`crate::PodHabits::changes`] of the peer's pod when `peer_habits` was last found out.
    pub habits_seen: u64,
    /// When it last left the SOCKHASH because that was no gain, in ns of CLOCK_MONOTONIC.
    pub left_at: u64,
    /// When this end was last seen to read, in ns of CLOCK_MONOTONIC, if it entered the SOCKHASH with unread bytes in its TCP
    /// queue and has not been seen without since; 0: it has.
    pub unread_since: u64,
    /// What TCP had counted of bytes when evidence began to count: see [`Connection::base_segments_in`].
    pub base_bytes_in: u64,
    pub base_bytes_out: u64,
    /// Of `redirected.bytes`, those that its pod's total has.
    pub accounted: u64,
    /// Messages and bytes that this end sent by redirection.
    pub redirected: Counter,
    /// Messages and bytes that this end sent through TCP while it was in the SOCKHASH.
    pub passed: Counter,
    /// This end's identity.
    pub id: EndId,
    /// Slot of this end's pod in the policies.
    pub slot: u32,
    /// Slot of the peer's pod.
    pub peer_slot: u32,
    /// `STATE_*`.
    pub state: u32,
    /// `PEER_*`.
    pub peer_state: u32,
    /// `SIDE_*` of this end.
    pub side: u32,
    /// [`crate::Reason`] why the socket is not in the SOCKHASH, or of the last message's verdict when it is.
    pub reason: u32,
    /// `write_seq` at which all that was sent through TCP was seen read by the peer.
    pub sender_clean_sequence: u32,
    /// 1 when `sender_clean_sequence` means something.
    pub sender_clean: u32,
    /// Messages redirected since the peer's queue was last seen empty: an upper bound of what is queued.
    pub sender_messages: u32,
    /// Bytes redirected since the peer's queue was last seen empty.
    pub sender_bytes: u32,
    /// `rcv_nxt` of this end when its last message was sent.
    pub received_sequence: u32,
    /// Not used.
    pub zero: u32,
    /// `copied_seq` of this socket when it entered the SOCKHASH late.
    pub copied_at_promotion: u32,
    /// `SIDE_*` of the peer.
    pub peer_side: u32,
    /// [`EndRecord::sent`] of the peer when this end last looked.
    pub peer_sent_seen: u32,
    /// How often in a row the peer had sent nothing since.
    pub one_way_looks: u32,
    /// [`crate::Reason`] why redirecting this end's messages is no gain: they pass, and it leaves; 0: it gains.
    pub no_gain: u32,
    /// `redirected.messages` when this end last looked whether most are.
    pub redirected_seen: u32,
    /// How often in a row most were not.
    pub passed_looks: u32,
    /// How often it has left because that was no gain.
    pub leaves: u32,
    /// What TCP had counted of data segments when evidence began to count: 0, or when this end had left for being one-way.
    pub base_segments_in: u32,
    pub base_segments_out: u32,
    /// 1 when the four bases are set.
    pub based: u32,
    /// [`crate::habit`] bits of the peer's port.
    pub peer_habits: u32,
    /// `copied_seq` of this socket at the last visit while `unread_since` is set.
    pub copied_seen: u32,
    /// Data segments both ways when the promoting pass last gave this candidate up.
    pub segments_seen: u32,
    /// 1 when TCP's reports of round trips have told what they can.
    pub known: u32,
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
    /// As [`Connection::copied_at_promotion`].
    pub copied_at_promotion: u32,
    /// [`crate::Reason`] why it was last taken out of the SOCKHASH; 0: it was not since it entered.
    pub left_for: u32,
    /// [`crate::Reason`] why it is to leave the SOCKHASH; 0: it is not.
    pub wanted: u32,
    /// [`crate::habit`] bits that were seen at this very socket.
    pub habits: u32,
    /// 1 when its reader must be woken once more.
    pub kick: u32,
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
    pub messages: u64,
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

/// One row of the adopting iterator: a TCP socket that was there before it could be recorded.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct AdoptSample {
    /// The socket's cookie.
    pub socket_cookie: u64,
    /// `snd_una - bytes_acked`: the first data sequence number sent (passive end), or one less (active end, whose
    /// bytes_acked counts its SYN).
    pub sent_base: u32,
    /// `rcv_nxt - bytes_received`: the first data sequence number of the peer.
    pub received_base: u32,
}
