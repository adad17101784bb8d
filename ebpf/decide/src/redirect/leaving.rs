//! How a socket leaves the SOCKHASH without a byte being lost. One protocol, whoever asks for it: an edited policy, a reader that
//! the redirected queue serves wrongly, a stream that gains nothing, uninstall.
//!
//! What is queued at a socket that leaves is thrown away, and a sender whose message is on its way to it is told EPIPE. Between
//! the verdict of sk_msg and the peer's queue a sender gives up its own socket's lock and waits for the peer's
//! (tcp_bpf_send_verdict, tcp_bpf_sendmsg_redir): it may be scheduled away for as long as the scheduler likes, so no length of
//! time makes a removal safe. But for the whole of its call it holds a reference to its own sk_psock (tcp_bpf_sendmsg, all
//! kernels since 5.10). So whoever takes a socket out
//!
//! 1. *forbids*: writes into the socket's record that nobody may redirect to it;
//! 2. sees that its peer is in no call: then no message is on its way, and none will be;
//! 3. sees that its queue is empty: then it stays so;
//! 4. removes it.
//!
//! When 2 or 3 does not hold, it allows again and comes back a millisecond later: a connection that asks and answers is
//! between two messages most of the time, and meanwhile nothing changes for it. Only where that does not succeed for a while,
//! as on a stream, it stays forbidden until the reader has drained the queue.
//!
//! Several may try at once: threads of the daemon, a full resync, uninstall. Were one to allow again between what another has seen and
//! what it does then, a message would be lost. So each attempt forbids under a ticket of its own, by which the last to forbid is
//! known: it alone may allow again, or decide that the socket leaves. Once that is decided nobody allows any more, and anybody may
//! remove it, also later.
//!
//! Three orders are needed, each by an atomic operation that fetches (BPF has no other barrier; on arm64 plain loads and stores
//! are not ordered, and even on x86 a load may pass an earlier store):
//!
//! * remover: *forbid* before it looks for calls;
//! * sender: its reference is taken (the kernel's atomic) before it reads whether it may redirect. The kernel's own operation
//!   orders nothing by itself on arm64, so sk_msg has a barrier at its beginning;
//! * remover: looks for calls before it looks at the queue, since a call that ends in between has filled it.
//!
//! The interleavings are explored in `tests/leaving.rs`, where the same tool finds the loss in the design with a grace period.

use meshaccel_abi::redirect::Reason;

/// What the protocol does, and sees.
pub trait Socket {
    /// Nobody may redirect to the socket from now on. False: somebody else is about to say so, or has decided.
    fn forbid(&mut self) -> bool;
    /// They may again, unless somebody else has forbidden since.
    fn allow(&mut self);
    /// From now on it can only leave. False: somebody else has forbidden since, and it is theirs to decide.
    fn decide(&mut self) -> bool;
    /// What is before it happens before what is after it, as seen from any processor.
    fn barrier(&mut self);
    /// Does the peer's sk_psock belong to more than the maps it is in: is a call in progress?
    fn peer_is_in_a_call(&mut self) -> bool;
    /// Is the redirected queue empty?
    fn is_drained(&mut self) -> bool;
    /// Takes it out of the SOCKHASH.
    fn remove(&mut self);
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It has left.
    Left,
    /// It is there as before.
    Kept,
    /// It is there, and nobody redirects to it.
    Draining,
}

/// Tries to take a socket out. `drains`: should it not succeed, nobody may redirect until it does. `stuck`: see [`is_stuck`].
#[inline(always)]
pub fn attempt(socket: &mut impl Socket, drains: bool, stuck: bool) -> Attempt {
    if !socket.forbid() {
        return Attempt::Kept;
    }
    socket.barrier();
    let on_its_way = socket.peer_is_in_a_call() && !stuck;
    socket.barrier();
    if !on_its_way && socket.is_drained() {
        if !socket.decide() {
            return Attempt::Kept;
        }
        socket.remove();
        return Attempt::Left;
    }
    if drains {
        return Attempt::Draining;
    }
    socket.allow();
    Attempt::Kept
}

/// Barriers of one attempt, which are counted: its ticket is one.
pub const BARRIERS: u64 = 3;

/// Attempts after which a socket drains.
const PATIENCE: u64 = 8 * BARRIERS;

/// Shall nobody redirect until it has left? Not before a few attempts have failed: what passes behind unread redirected bytes
/// had better not pass at all. And never for a reader that asks how many bytes wait, since those that pass would not be
/// counted: it leaves between two messages. `wanted`: the number of the [`Reason`]; `barriers`: of the attempts so far.
#[inline(always)]
pub fn drains(wanted: u32, barriers: u64) -> bool {
    barriers >= PATIENCE && wanted != Reason::ReaderAsks as u32
}

/// How long a call of the peer may last while nobody may redirect, until it can only be one that waits in recv (a send call
/// copies and does not wait, but for memory): 10 s, in ns.
const STUCK: u64 = 10_000_000_000;

/// Has the peer of a socket that drains been in a call for longer than a send call takes? A thread that is blocked in a receive
/// call holds a reference as a sender does.
#[inline(always)]
pub fn is_stuck(wanted_for: u64) -> bool {
    wanted_for >= STUCK
}

/// A [`meshaccel_abi::redirect::SocketMark`] in a ring buffer, with its header.
const TOLD: u64 = 40;
/// A daemon that is there takes what it is told within microseconds.
const UNHEARD: u64 = 32 * TOLD;

/// For how long, in ns, a system call waits whose socket must have left before it goes on; `unheard`: bytes in the ring that the daemon
/// has not taken yet. It takes some hundreds of microseconds, but a virtual machine's processors may stand still for longer than 3
/// ms, and so may an emulated machine's. Where nobody listens, or there is very much else to do, that would be in vain.
#[inline(always)]
pub fn waits_for(unheard: u64) -> u64 {
    const LONGEST: u64 = 50_000_000;
    const SHORT: u64 = 3_000_000;
    if unheard < UNHEARD { LONGEST } else { SHORT }
}

/// Why a reader to which a message had to pass behind unread redirected ones must leave; `passed`: why it passed. Where it is
/// the reader that is behind, or the sender that asks for what only TCP does, that will happen again.
#[inline(always)]
pub fn behind(passed: Reason) -> Reason {
    match passed {
        Reason::ByteBudget | Reason::MessageBudget | Reason::SenderFlags | Reason::SenderUnseen => Reason::Backlogged,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_long_for_a_daemon_that_does_not_listen() {
        assert_eq!(TOLD, size_of::<meshaccel_abi::redirect::SocketMark>() as u64 + 8);
        assert_eq!((waits_for(0), waits_for(31 * TOLD)), (50_000_000, 50_000_000));
        assert_eq!(waits_for(32 * TOLD), 3_000_000);
    }

    /// What an attempt did, in order.
    #[derive(Default)]
    struct Played {
        in_a_call: bool,
        waiting: bool,
        others: Others,
        did: Vec<&'static str>,
    }

    /// What others do meanwhile.
    #[derive(Clone, Copy, Default, PartialEq, Eq)]
    enum Others {
        #[default]
        Nothing,
        HaveDecided,
        Forbid,
    }

    impl Socket for Played {
        fn forbid(&mut self) -> bool {
            self.did.push("forbid");
            self.others != Others::HaveDecided
        }
        fn decide(&mut self) -> bool {
            self.did.push("decide");
            self.others != Others::Forbid
        }
        fn allow(&mut self) {
            self.did.push("allow");
        }
        fn barrier(&mut self) {
            self.did.push("barrier");
        }
        fn peer_is_in_a_call(&mut self) -> bool {
            self.did.push("call?");
            self.in_a_call
        }
        fn is_drained(&mut self) -> bool {
            self.did.push("drained?");
            !self.waiting
        }
        fn remove(&mut self) {
            self.did.push("remove");
        }
    }

    fn play(in_a_call: bool, waiting: bool, drains: bool, stuck: bool) -> (Attempt, Vec<&'static str>) {
        let mut socket = Played { in_a_call, waiting, ..Played::default() };
        let attempt = attempt(&mut socket, drains, stuck);
        (attempt, socket.did)
    }

    #[test]
    fn it_leaves_when_nothing_is_on_its_way_and_nothing_waits() {
        let (attempt, did) = play(false, false, false, false);
        assert_eq!(attempt, Attempt::Left);
        assert_eq!(did, ["forbid", "barrier", "call?", "barrier", "drained?", "decide", "remove"]);
    }

    #[test]
    fn of_several_the_last_to_forbid_decides() {
        let mut late = Played { others: Others::HaveDecided, ..Played::default() };
        assert_eq!((attempt(&mut late, true, false), late.did), (Attempt::Kept, vec!["forbid"]));
        let mut early = Played { others: Others::Forbid, ..Played::default() };
        assert_eq!(attempt(&mut early, true, false), Attempt::Kept);
        assert!(!early.did.contains(&"remove") && !early.did.contains(&"allow"), "{:?}", early.did);
    }

    #[test]
    fn else_it_is_as_before_or_drains() {
        for (in_a_call, waiting) in [(true, false), (false, true), (true, true)] {
            let (attempt, did) = play(in_a_call, waiting, false, false);
            assert_eq!((attempt, did.last()), (Attempt::Kept, Some(&"allow")));
            let (attempt, did) = play(in_a_call, waiting, true, false);
            assert_eq!(attempt, Attempt::Draining);
            assert!(!did.contains(&"allow") && !did.contains(&"remove"), "{did:?}");
        }
    }

    #[test]
    fn a_call_that_never_ends_is_one_that_waits() {
        assert_eq!(play(true, false, true, true).0, Attempt::Left);
        assert_eq!(play(true, true, true, true).0, Attempt::Draining);
        assert!(!is_stuck(STUCK - 1) && is_stuck(STUCK));
    }

    #[test]
    fn it_drains_after_a_few_attempts_and_who_asks_does_not() {
        let edited = Reason::ExcludedPort as u32;
        assert!(!drains(edited, PATIENCE - 1) && drains(edited, PATIENCE));
        assert!(!drains(Reason::ReaderAsks as u32, u64::MAX));
    }

    #[test]
    fn a_reader_that_is_behind_gains_nothing_and_one_that_was_switched_off_does() {
        assert_eq!(behind(Reason::ByteBudget), Reason::Backlogged);
        assert_eq!(behind(Reason::SwitchedOff), Reason::SwitchedOff);
    }
}
