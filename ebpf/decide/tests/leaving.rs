//! The removal of a socket, played through in every interleaving that the memory model allows, by loom: a sender on one processor, a
//! remover on another, and (as the compiler, the kernel's relaxed atomics and an arm64 processor have it) no order but the one that the
//! protocol makes. The same tool finds the loss in the design with a grace period, and in this one with any of its steps out.

#![allow(clippy::unwrap_used, reason = "a test: a lock that is poisoned has failed it already")]

use loom::sync::atomic::Ordering::{Relaxed, SeqCst};
use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, fence};
use loom::sync::{Arc, Mutex};
use loom::thread;
use meshaccel_decide::redirect::leaving::{Attempt, Socket, attempt};

const PROMOTED: u32 = 2;
/// Or more: with a ticket.
const LEAVING: u32 = 3;
const REMOVING: u32 = 1;

/// A socket in the SOCKHASH, and its peer's sk_psock.
struct Pair {
    /// `EndRecord::state` of the socket.
    state: AtomicU32,
    /// References to the peer's sk_psock: one of the map, one of each call.
    references: AtomicUsize,
    /// The socket's own sk_psock and queue, under its lock.
    socket: Mutex<Redirected>,
    /// Messages that a send call said it had sent, and nobody will read.
    lost: AtomicBool,
}

struct Redirected {
    there: bool,
    queued: usize,
}

impl Pair {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            state: AtomicU32::new(PROMOTED),
            references: AtomicUsize::new(1),
            socket: Mutex::new(Redirected { there: true, queued: 0 }),
            lost: AtomicBool::new(false),
        })
    }

    /// tcp_bpf_sendmsg. `asks`: sk_msg looks at the state, after the barrier that it has (`barrier`).
    fn send(&self, asks: bool, barrier: bool) {
        // sk_psock_get: the kernel's reference counts order nothing.
        self.references.fetch_add(1, Relaxed);
        if barrier {
            fence(SeqCst);
        }
        if !asks || self.state.load(Relaxed) == PROMOTED {
            // The verdict finds the socket in the SOCKHASH, or the message passes.
            let found = self.socket.lock().unwrap().there;
            // Here the sender has given up its lock, and may be scheduled away.
            thread::yield_now();
            if found {
                let mut socket = self.socket.lock().unwrap();
                socket.queued += 1;
                if !socket.there {
                    self.lost.store(true, SeqCst);
                }
            }
        }
        // sk_psock_put
        self.references.fetch_sub(1, loom::sync::atomic::Ordering::Release);
    }

    fn read(&self) {
        let mut socket = self.socket.lock().unwrap();
        if socket.there {
            socket.queued = 0;
        }
    }

    fn remove(&self) {
        let mut socket = self.socket.lock().unwrap();
        socket.there = false;
        if socket.queued > 0 {
            self.lost.store(true, SeqCst);
        }
    }
}

/// A remover, and which of its barriers it has.
struct Remover {
    pair: Arc<Pair>,
    barriers: [bool; 2],
    passed: usize,
    /// Does it know of others?
    knows: bool,
    /// Each has other tickets.
    ticket: u32,
}

impl Socket for Remover {
    fn forbid(&mut self) -> bool {
        if !self.knows {
            self.pair.state.store(LEAVING, Relaxed);
            return true;
        }
        self.ticket += 2;
        let seen = self.pair.state.load(Relaxed);
        seen != REMOVING && self.replace(seen, LEAVING + self.ticket)
    }
    fn allow(&mut self) {
        if self.knows {
            self.replace(LEAVING + self.ticket, PROMOTED);
        } else {
            self.pair.state.store(PROMOTED, Relaxed);
        }
    }
    fn decide(&mut self) -> bool {
        !self.knows || self.replace(LEAVING + self.ticket, REMOVING)
    }
    fn barrier(&mut self) {
        if self.barriers[self.passed % 2] {
            fence(SeqCst);
        }
        self.passed += 1;
    }
    fn peer_is_in_a_call(&mut self) -> bool {
        self.pair.references.load(Relaxed) != 1
    }
    fn is_drained(&mut self) -> bool {
        self.pair.socket.lock().unwrap().queued == 0
    }
    fn remove(&mut self) {
        self.pair.remove();
    }
}

impl Remover {
    fn new(pair: &Arc<Pair>, barriers: [bool; 2], knows: bool, number: u32) -> Self {
        Self { pair: pair.clone(), barriers, passed: 0, knows, ticket: number }
    }

    fn replace(&self, from: u32, to: u32) -> bool {
        self.pair.state.compare_exchange(from, to, SeqCst, SeqCst).is_ok()
    }
}

/// A sender with so many messages beside `remove`.
fn play(messages: usize, asks: bool, barrier: bool, remove: impl Fn(Arc<Pair>) + Sync + Send + 'static) {
    loom::model(move || {
        let pair = Pair::new();
        let sender = thread::spawn({
            let pair = pair.clone();
            move || (0..messages).for_each(|_| pair.send(asks, barrier))
        });
        remove(pair.clone());
        sender.join().unwrap();
        assert!(!pair.lost.load(SeqCst), "a message was lost");
    });
}

/// The protocol, with these of its barriers.
fn by_protocol(barriers: [bool; 2]) -> impl Fn(Arc<Pair>) + Sync + Send + 'static {
    move |pair| {
        let mut remover = Remover::new(&pair, barriers, true, 0);
        // In passing; the second time it drains, and the reader comes.
        if attempt(&mut remover, false, false) != Attempt::Left && attempt(&mut remover, true, false) != Attempt::Left {
            pair.read();
            let _ = attempt(&mut remover, true, false);
        }
    }
}

#[test]
fn nothing_is_lost() {
    play(2, true, true, by_protocol([true, true]));
}

/// What was there before: forbid, wait for a while, look at the queue. How long a sender takes no clock knows.
#[test]
#[should_panic(expected = "a message was lost")]
fn a_grace_period_loses_what_a_sender_holds_that_was_scheduled_away() {
    play(1, true, true, |pair| {
        pair.state.store(LEAVING, SeqCst);
        fence(SeqCst);
        if pair.socket.lock().unwrap().queued == 0 {
            pair.remove();
        }
    });
}

/// What was there before, too: a sender that knew its peer well did not look at its state again.
#[test]
#[should_panic(expected = "a message was lost")]
fn a_sender_that_does_not_ask_loses_messages() {
    play(1, false, true, by_protocol([true, true]));
}

#[test]
#[should_panic(expected = "a message was lost")]
fn a_sender_without_its_barrier_loses_messages() {
    play(1, true, false, by_protocol([true, true]));
}

#[test]
#[should_panic(expected = "a message was lost")]
fn a_remover_that_looks_before_it_has_forbidden_loses_messages() {
    play(1, true, true, by_protocol([false, true]));
}

/// The other way round: the queue is empty, a message comes, its call ends.
#[test]
#[should_panic(expected = "a message was lost")]
fn a_remover_that_looks_at_the_queue_first_loses_messages() {
    play(1, true, true, |pair| {
        pair.state.store(LEAVING, Relaxed);
        fence(SeqCst);
        let drained = pair.socket.lock().unwrap().queued == 0;
        fence(SeqCst);
        if drained && pair.references.load(Relaxed) == 1 {
            pair.remove();
        }
    });
}

/// One message, and two that take the socket out: one tries once, the other until it drains.
fn play_two(know: bool) {
    let mut model = loom::model::Builder::new();
    // More than three switches away from a thread that could go on, and the model never ends.
    model.preemption_bound = Some(3);
    model.check(move || {
        let pair = Pair::new();
        let sender = thread::spawn({
            let pair = pair.clone();
            move || pair.send(true, true)
        });
        let other = thread::spawn({
            let mut other = Remover::new(&pair, [true, true], know, 1);
            move || {
                let _ = attempt(&mut other, false, false);
            }
        });
        let _ = attempt(&mut Remover::new(&pair, [true, true], know, 0), true, false);
        sender.join().unwrap();
        other.join().unwrap();
        assert!(!pair.lost.load(SeqCst), "a message was lost");
    });
}

#[test]
fn two_that_know_of_each_other_lose_nothing() {
    play_two(true);
}

/// What was there before: what one has seen the other makes untrue.
#[test]
#[should_panic(expected = "a message was lost")]
fn two_that_do_not_know_of_each_other_lose_messages() {
    play_two(false);
}
