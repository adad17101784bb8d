//! The threads that take sockets out of the SOCKHASH that are to leave, and wake their readers.
//!
//! Somebody may wait for it: a reader that has been told that nothing is there, or a system call that must not find its socket
//! there (`observe.rs` of the programs), whose processor does nothing else meanwhile. So they are threads of their own, which nothing
//! else of the daemon holds up; two, on two processors, since the one of the call is not to be had; and real-time threads, so that
//! processors that are busy let them run at once. What they do takes some ten microseconds. Without CAP_SYS_NICE short slices have
//! to do (EEVDF, Linux 6.12), which a busy machine does not always honour.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aya::maps::{Map, MapData, RingBuf};
use meshaccel_abi::redirect::names;
use meshaccel_bpf::iterator::IteratorError;
use meshaccel_bpf::maps::{MapsError, open};
use meshaccel_bpf::pins::Layout;
use meshaccel_bpf::sys::netns::Namespace;
use meshaccel_bpf::sys::{bpf, sched};
use meshaccel_model::NetnsCookie;
use meshaccel_service::Chain;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;

use crate::kernel::gate::Gate;
use crate::kernel::install::Loaded;
use crate::kernel::visits::{Leave, Namespaces, Visits};
use crate::kernel::wake_readers::ReaderWaker;

mod closed;
mod pending;

use closed::Closed;
use pending::{Pending, State};

/// One that could not leave is tried again after one millisecond, two, four ... thirty-two.
const AGAIN: Duration = Duration::from_millis(1);
const MOST_DOUBLINGS: u32 = 5;
/// Sockets that are tried in vain are given up so long after they were asked to leave: the full resync finds them again.
const GIVEN_UP: Duration = Duration::from_secs(30);
/// With more to do at once, some hundreds of microseconds, a thread does not go before all others.
const FEW: usize = 32;
/// Of a thread, in a row, where it does not.
const SLICE: Duration = Duration::from_micros(100);
const THREADS: usize = 2;

/// They end when this is dropped.
pub struct Leavers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    /// To wait at; read through `state`.
    ring: OwnedFd,
    stop: EventFd,
    visits: Visits,
    wake_readers: ReaderWaker,
    gate: Gate,
    closed: Mutex<Closed>,
    state: Mutex<State>,
    namespaces: Mutex<Namespaces>,
}

impl Leavers {
    /// Starts the threads.
    pub fn start(layout: &Layout, loaded: &Loaded) -> Result<Self, MapsError> {
        let failed = |source| MapsError::Wait { name: names::LEAVERS, source };
        let ring: RingBuf<MapData> = open!(layout, names::LEAVERS, Map::RingBuf);
        let shared = Arc::new(Shared {
            ring: bpf::open_pin(&layout.path(names::LEAVERS)).map_err(failed)?,
            stop: EventFd::new().map_err(|error| failed(error.into()))?,
            visits: loaded.visits.try_clone().map_err(failed)?,
            wake_readers: loaded.wake_readers.try_clone().map_err(failed)?,
            gate: loaded.gate.try_clone().map_err(failed)?,
            closed: Mutex::default(),
            state: Mutex::new(State { ring, pending: HashMap::new() }),
            namespaces: Mutex::new(Namespaces::new()),
        });
        let processors = sched::processors().map_err(failed)?;
        let mut threads = Vec::new();
        for index in 0..THREADS {
            let (shared, processor) = (shared.clone(), processors.get(index).copied());
            let thread = std::thread::Builder::new().name(format!("leavers-{index}"));
            threads.push(thread.spawn(move || shared.run(processor)).map_err(failed)?);
        }
        Ok(Self { shared, threads })
    }

    /// Where the network namespaces are in which readers may have to be woken.
    pub fn live_at(&self, namespaces: &Namespaces) {
        *lock(&self.shared.namespaces) = namespaces.clone();
    }

    /// Wakes the readers of these namespaces.
    pub fn wake_readers(&self, to_wake: &BTreeSet<NetnsCookie>) {
        self.shared.wake_readers(to_wake);
    }
}

impl Drop for Leavers {
    fn drop(&mut self) {
        // Cannot fail: the counter is far from full.
        let _ = self.shared.stop.write(1);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, processor: Option<usize>) {
        if let Err(error) = processor.map_or(Ok(()), sched::stay_on) {
            tracing::debug!(%error, "Runs without a processor of its own");
        }
        let mut hurries = true;
        hurry(hurries);
        let mut timeout = PollTimeout::NONE;
        loop {
            match self.wait(timeout) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::error!(%error, "Cannot wait for sockets that are to leave; they are found by full resyncs alone");
                    return;
                }
            }
            let (to_wake, next) = self.turn(&mut hurries);
            self.wake_readers(&to_wake);
            timeout = next.map_or(PollTimeout::NONE, until);
        }
    }

    /// False: it is time to end.
    fn wait(&self, timeout: PollTimeout) -> io::Result<bool> {
        let mut descriptors =
            [&self.ring.as_fd(), &self.stop.as_fd()].map(|descriptor| PollFd::new(*descriptor, PollFlags::POLLIN));
        match poll(&mut descriptors, timeout) {
            Err(nix::errno::Errno::EINTR) | Ok(_) => Ok(descriptors[1].any() != Some(true)),
            Err(error) => Err(error.into()),
        }
    }

    /// Tries all whose time has come. Gives where readers must be woken, and when the next is due. Should both threads try one at
    /// once, that is theirs to sort out (`meshaccel_decide::redirect::leaving`).
    fn turn(&self, hurries: &mut bool) -> (BTreeSet<NetnsCookie>, Option<Instant>) {
        let now = Instant::now();
        let due = lock(&self.state).take_due(now);
        if *hurries != (due.len() <= FEW) {
            *hurries = !*hurries;
            hurry(*hurries);
        }
        let mut to_wake = BTreeSet::new();
        let again: Vec<_> = due.into_iter().filter_map(|one| self.try_one(one, now, &mut to_wake)).collect();
        let (next, gates) = lock(&self.state).put_back(again);
        let lingers = lock(&self.closed).is_needed(gates, now);
        (to_wake, next.into_iter().chain(lingers).min())
    }

    /// As it is to be tried again, if it is.
    fn try_one(&self, mut one: Pending, now: Instant, to_wake: &mut BTreeSet<NetnsCookie>) -> Option<Pending> {
        let outcome = self.visits.leave(&one.id);
        tracing::trace!(id = ?one.id, ?outcome, attempts = one.attempts, "Tried to take a socket out");
        match outcome {
            Ok(Leave::Done) => None,
            Ok(Leave::Wake) => {
                to_wake.insert(one.netns);
                None
            }
            Ok(outcome @ (Leave::NotYet | Leave::NotYetGate)) => {
                if outcome == Leave::NotYetGate && !one.gates {
                    one.gates = true;
                    self.close_gate(&one);
                }
                one.due = now + AGAIN * 2u32.pow(one.attempts.min(MOST_DOUBLINGS));
                one.attempts += 1;
                (now.duration_since(one.first) < GIVEN_UP).then_some(one)
            }
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "Could not take a socket back to plain TCP");
                None
            }
        }
    }

    fn home(&self, netns: NetnsCookie) -> Option<Namespace> {
        lock(&self.namespaces).get(&netns).cloned()
    }

    /// Has calls that receive wait for this one, should they have to.
    fn close_gate(&self, one: &Pending) {
        let mut gate = lock(&self.closed);
        if gate.links.is_empty() {
            let start = Instant::now();
            gate.turn += 1;
            match self.gate.attach(gate.turn) {
                Ok(links) => {
                    tracing::debug!(took = ?start.elapsed(), "Receive calls wait for sockets that are to leave");
                    gate.links = links;
                }
                Err(error) => tracing::debug!(%error, "Cannot have receive calls wait for a socket that is to leave"),
            }
        }
        drop(gate);
        if let Err(error) = self.visits.gated(&one.id) {
            tracing::debug!(error = %Chain(&error), "Cannot say that receive calls wait");
        }
    }

    /// One that is gone has no readers; that one cannot be entered stops no other.
    fn wake_readers(&self, to_wake: &BTreeSet<NetnsCookie>) {
        for cookie in to_wake {
            let Some(path) = self.home(*cookie) else { continue };
            match self.wake_readers.run(&path) {
                Ok(()) => {
                    tracing::debug!(netns_cookie = cookie.0, "Woke readers of sockets that left with bytes unread")
                }
                Err(IteratorError::Open { source, .. }) => {
                    tracing::debug!(path = %path.display(), %source, "Could not enter a network namespace");
                }
                Err(error) => tracing::warn!(path = %path.display(), error = %Chain(&error), "Could not wake readers"),
            }
        }
    }
}

/// The calling thread runs before all others, or with short slices.
fn hurry(before_all: bool) {
    if before_all {
        match sched::real_time() {
            Ok(()) => return,
            Err(error) => tracing::debug!(%error, "Who waits for this thread may have to wait for others, too"),
        }
    }
    if let Err(error) = sched::short_slices(SLICE) {
        tracing::debug!(%error, "Runs without short slices");
    }
}

/// Rounded up: what is due is due when it returns.
fn until(due: Instant) -> PollTimeout {
    let millis = due.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000);
    PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
}

/// What panicked has left the state whole: nothing in between can.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
