//! Redirect this message or pass it, and why.
//!
//! The order of the checks is part of the design: the cheap ones that need nothing of the peer come first, and the
//! peer is only read ([`Peer`] is lazy) when they have passed.

use meshaccel_abi::redirect::Reason;
use meshaccel_abi::redirect::connection::{
    PEER_READY, PEER_UNKNOWN, STATE_CANDIDATE, STATE_LEAVING, STATE_PROMOTED_EARLY, STATE_PROMOTED_LATE, STATE_REMOVING,
};

use crate::redirect::demands::{self, Reading, Sending};
use crate::redirect::keepalive::Path;

/// What the sender knows without looking at its peer.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    /// The node-wide switch is off now.
    pub node_off: bool,
    /// The switch of this end's or the peer's pod is off now.
    pub pod_off: bool,
    /// Both ends' policies say that messages may be redirected.
    pub enforced: bool,
    /// Whether the TCP path needs a message: see [`crate::redirect::keepalive`].
    pub path: Path,
    /// Why redirecting is no gain, if it is known to be none: see [`crate::redirect::benefit`].
    pub no_gain: Option<Reason>,
    /// Why nothing may be redirected to the peer, from its application's habits: see [`crate::redirect::habits`].
    pub peer_refuses: Option<Reason>,
    /// The send call and the socket's options.
    pub sending: Sending,
    /// A blocking receive call on a redirected socket waits on after a wake-up without bytes, on this kernel.
    pub blocking_waits: bool,
    /// Bytes that this end's TCP has received and not acknowledged.
    pub unacknowledged: u32,
    /// Bytes that this end's TCP has received since the last message that this end sent.
    pub received: u32,
    /// [`Reason`] of the verdict on the last message that this end sent.
    pub last_verdict: u32,
    /// `PEER_*`.
    pub peer_state: u32,
    /// `tcp_sock.write_seq`: the sequence number after the last byte that was given to TCP.
    pub write_sequence: u32,
    /// `write_seq` when everything sent through TCP was last seen read, if it ever was.
    pub clean_sequence: Option<u32>,
    /// Messages redirected since the peer's queue was last seen empty.
    pub messages: u32,
    /// Bytes redirected since the peer's queue was last seen empty.
    pub bytes: u32,
    /// Budget of messages.
    pub max_messages: u32,
    /// Budget of bytes.
    pub max_bytes: u32,
    /// Size of this message in bytes.
    pub size: u32,
}

/// What waits at the peer, redirected and unread.
#[derive(Clone, Copy, Debug)]
pub struct Queue {
    /// Nothing waits.
    pub empty: bool,
    /// Bytes that wait, on kernels that count them.
    pub bytes: Option<u32>,
    /// `sk_rcvbuf` of the peer.
    pub receive_buffer: u32,
}

/// The peer, read only when asked. `None`: it could not be read.
pub trait Peer {
    /// `STATE_*` and `copied_at_promotion` of the peer's record; `None` when there is no record any more.
    fn record(&self) -> Option<(u32, u32)>;
    /// `tcp_sock.copied_seq`: the sequence number after the last byte that the peer's application has read.
    fn copied_sequence(&self) -> Option<u32>;
    /// How the peer's application reads.
    fn reading(&self) -> Option<Reading>;
    /// The redirected queue.
    fn queue(&self) -> Option<Queue>;
    /// Nagle's algorithm is on: a small message that takes TCP waits until the one before it is acknowledged.
    fn waits_for_acknowledgement(&self) -> bool;
}

/// What the sender must remember once the message is redirected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// Next [`Sender::messages`].
    pub messages: u32,
    /// Next [`Sender::bytes`].
    pub bytes: u32,
}

/// Decides one message.
///
/// # Errors
/// Why it passes to TCP. The first reason counts, in the order in which it is asked: the cheap before the dear.
#[inline(always)]
pub fn verdict(sender: &Sender, peer: &impl Peer) -> Result<Redirect, Reason> {
    standing(sender)?;
    demands::sender(&sender.sending)?;
    reader_is_ready(sender, peer)?;
    reader_takes_it(sender, peer)?;
    in_order(sender, peer)?;
    fits(sender, peer)
}

/// Switches and policy.
#[inline(always)]
fn standing(sender: &Sender) -> Result<(), Reason> {
    if sender.node_off {
        return Err(Reason::SwitchedOff);
    }
    if sender.pod_off {
        return Err(Reason::PodSwitchedOff);
    }
    if !sender.enforced {
        return Err(Reason::NotEnforced);
    }
    if sender.peer_state == PEER_UNKNOWN {
        return Err(Reason::Unpaired);
    }
    if let Some(reason) = sender.no_gain {
        return Err(reason);
    }
    Ok(())
}

/// A thread that was blocked in the plain `tcp_recvmsg` when its socket entered the SOCKHASH waits on the TCP queue
/// only: a redirected message would wake nobody, for ever. On a socket that was not accepted yet nobody can be blocked. Any
/// other gets its next message through TCP; once that is read, the blocked call has returned.
///
/// The peer's state is asked for every message, also by a sender that knows its peer well: so a peer that is to leave can forbid
/// (see [`crate::redirect::leaving`]).
#[inline(always)]
fn reader_is_ready(sender: &Sender, peer: &impl Peer) -> Result<(), Reason> {
    match peer.record() {
        None => Err(Reason::PeerGone),
        Some((STATE_PROMOTED_EARLY, _)) => Ok(()),
        Some((STATE_PROMOTED_LATE, _)) if sender.peer_state == PEER_READY => Ok(()),
        Some((STATE_PROMOTED_LATE, copied_at_promotion)) => match peer.copied_sequence() {
            None => Err(Reason::PeerUnreadable),
            Some(copied) if copied == copied_at_promotion => Err(Reason::ReaderNotSeen),
            Some(_) => Ok(()),
        },
        Some((STATE_LEAVING | STATE_REMOVING, _)) => Err(Reason::Leaving),
        Some((STATE_CANDIDATE, _)) => Err(Reason::PeerNotPromoted),
        Some(_) => Err(Reason::PeerUnreadable),
    }
}

/// splice(2) from a socket sees TCP's queue only: it would find nothing, and wait for ever, or read on from the wrong byte.
/// Which way an application reads next nobody can know; what it has done before is remembered for its port.
#[inline(always)]
fn reader_takes_it(sender: &Sender, peer: &impl Peer) -> Result<(), Reason> {
    if let Some(reason) = sender.peer_refuses {
        return Err(reason);
    }
    match peer.reading() {
        None => Err(Reason::PeerUnreadable),
        Some(reading) => demands::reader(&reading, sender.blocking_waits),
    }
}

/// The receiver reads redirected messages before TCP's bytes. So while TCP holds unread bytes of this sender, a
/// redirected message would overtake them (invariant 2).
#[inline(always)]
fn in_order(sender: &Sender, peer: &impl Peer) -> Result<(), Reason> {
    if sender.clean_sequence == Some(sender.write_sequence) {
        return Ok(());
    }
    match peer.copied_sequence() {
        None => Err(Reason::PeerUnreadable),
        Some(copied) if copied == sender.write_sequence => Ok(()),
        Some(_) => Err(Reason::OrderBarrier),
    }
}

/// An answer that takes TCP acknowledges its question; without it that is done after 40 ms (a delayed ACK), and for so long Nagle's
/// algorithm holds whatever the other end sends through TCP. It is asked once for whatever comes, and not right after a message
/// that took TCP to acknowledge: else two ends on which that algorithm is on would acknowledge each other's
/// acknowledgements for ever.
#[inline(always)]
fn owes_acknowledgement(sender: &Sender) -> bool {
    sender.unacknowledged != 0 && sender.received != 0 && sender.last_verdict != Reason::OwesAcknowledgement as u32
}

/// What may wait when a message overdraws: 16 KiB.
const HEADER: u32 = 16 * 1024;

/// The kernel bounds the redirected queue by nothing, so this does (invariant 3): by the policy's budgets, and by half of
/// the peer's receive buffer. Redirected bytes count against that buffer, but reading them sends no window update: were it
/// full, TCP's window would close and stay closed until a probe, 200 ms or more later, and the messages that must take TCP
/// would wait for that.
#[inline(always)]
fn fits(sender: &Sender, peer: &impl Peer) -> Result<Redirect, Reason> {
    let Some(queue) = peer.queue() else { return Err(Reason::PeerUnreadable) };
    // A message that passes behind unread redirected ones costs more than itself (see `skmsg.rs`).
    if sender.path == Path::Overdue || sender.path == Path::Due && queue.empty {
        return Err(Reason::PathKeptAlive);
    }
    if queue.empty && owes_acknowledgement(sender) && peer.waits_for_acknowledgement() {
        return Err(Reason::OwesAcknowledgement);
    }
    let (messages, bytes) = if queue.empty { (0, 0) } else { (sender.messages, sender.bytes) };
    if messages >= sender.max_messages {
        return Err(Reason::MessageBudget);
    }
    // Where the kernel counts what waits, that is the truth; elsewhere all that was sent since the queue was last
    // empty may still wait.
    let waiting = queue.bytes.unwrap_or(bytes);
    let half = queue.receive_buffer / 2;
    let budget = if half < sender.max_bytes { half } else { sender.max_bytes };
    // A large message right behind a small one (a body behind its header) may overdraw: for the reader's sake both had
    // better come the same way.
    let overdraws = !queue.empty && waiting <= HEADER && sender.size <= sender.max_bytes;
    if waiting.saturating_add(sender.size) > budget && !overdraws {
        return Err(Reason::ByteBudget);
    }
    Ok(Redirect { messages: messages.wrapping_add(1), bytes: bytes.saturating_add(sender.size) })
}

#[cfg(test)]
mod tests;
