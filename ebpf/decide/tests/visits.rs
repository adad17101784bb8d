//! Two visits of one socket at once, played through in every interleaving by loom: one has decided that it leaves the SOCKHASH and
//! takes it out, the other looks whether it may enter. What each writes is that of `evict.rs`, `promote.rs` and `record.rs` of the
//! programs; how they keep out of each other's way is that of `alone.rs`.

#![allow(clippy::unwrap_used, reason = "a test: a lock that is poisoned has failed it already")]

use loom::sync::atomic::{AtomicU32, Ordering::Relaxed, Ordering::SeqCst};
use loom::sync::{Arc, Mutex};
use loom::thread;

const CANDIDATE: u32 = 0;
const PROMOTED: u32 = 2;

/// What is kept of one socket: its storage, its record, and the generations under which it is in the SOCKHASH.
struct Socket {
    state: AtomicU32,
    generation: AtomicU32,
    record_state: AtomicU32,
    record_generation: AtomicU32,
    visited: AtomicU32,
    there: Mutex<Vec<u32>>,
}

impl Socket {
    fn promoted() -> Arc<Self> {
        Arc::new(Self {
            state: AtomicU32::new(PROMOTED),
            generation: AtomicU32::new(0),
            record_state: AtomicU32::new(PROMOTED),
            record_generation: AtomicU32::new(0),
            visited: AtomicU32::new(0),
            there: Mutex::new(vec![0]),
        })
    }

    /// Runs a visit, `alone` or not. Who comes second comes again later.
    fn visit(&self, alone: bool, visit: impl FnOnce(&Self)) {
        if alone && self.visited.compare_exchange(0, 1, SeqCst, SeqCst).is_err() {
            return;
        }
        visit(self);
        if alone {
            self.visited.store(0, SeqCst);
        }
    }

    fn take_out(&self) {
        if self.state.load(Relaxed) == CANDIDATE {
            return;
        }
        let generation = self.generation.load(Relaxed);
        self.state.store(CANDIDATE, Relaxed);
        self.there.lock().unwrap().retain(|key| *key != generation);
        self.record_state.store(CANDIDATE, Relaxed);
        self.record_generation.store(generation + 1, Relaxed);
        self.generation.store(generation + 1, Relaxed);
    }

    fn enter(&self) {
        let of_record = self.record_generation.load(Relaxed);
        if self.generation.load(Relaxed) != of_record {
            self.generation.store(of_record, Relaxed);
            self.state.store(CANDIDATE, Relaxed);
        }
        if self.state.load(Relaxed) != CANDIDATE {
            return;
        }
        let generation = self.generation.load(Relaxed);
        let mut there = self.there.lock().unwrap();
        if !there.contains(&generation) {
            there.push(generation);
            drop(there);
            self.state.store(PROMOTED, Relaxed);
            self.record_state.store(PROMOTED, Relaxed);
        }
    }

    /// A sender finds it by its record; whoever takes it out, by its storage.
    fn is_known_as_it_is(&self) -> bool {
        let (state, record_state) = (self.state.load(Relaxed), self.record_state.load(Relaxed));
        let (key, record_key) = (self.generation.load(Relaxed), self.record_generation.load(Relaxed));
        let there = self.there.lock().unwrap();
        match there.as_slice() {
            [] => state == CANDIDATE && record_state == CANDIDATE,
            [one] => state == PROMOTED && record_state == PROMOTED && *one == key && *one == record_key,
            _ => false,
        }
    }
}

fn play(alone: bool) {
    loom::model(move || {
        let socket = Socket::promoted();
        let other = thread::spawn({
            let socket = socket.clone();
            move || socket.visit(alone, Socket::enter)
        });
        socket.visit(alone, Socket::take_out);
        other.join().unwrap();
        assert!(socket.is_known_as_it_is(), "in the SOCKHASH, and nobody knows how");
    });
}

#[test]
fn who_visits_alone_leaves_it_as_it_is_known() {
    play(true);
}

/// What was there before: threads that take sockets out, beside one that promotes.
#[test]
#[should_panic(expected = "nobody knows how")]
fn who_visits_beside_another_does_not() {
    play(false);
}
