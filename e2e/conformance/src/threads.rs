//! Calls that wait, made by a thread of their own while the behaviour goes on.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::session::{LIMIT, Session, Who};
use super::sys;

/// A thread that waits in the kernel.
pub struct Waiting {
    thread: i32,
    result: Receiver<String>,
    start: Instant,
}

impl Waiting {
    fn has_ended(&self) -> bool {
        !std::path::Path::new(&format!("/proc/self/task/{}", self.thread)).exists()
    }

    /// Sends the thread a signal whose handler does nothing, again and again while it is still to be interrupted:
    /// `restart` says whether the kernel shall go on with the call afterwards.
    pub fn interrupt(&self, restart: bool) {
        extern "C" fn nothing(_: i32) {}
        let flags = if restart { SaFlags::SA_RESTART } else { SaFlags::empty() };
        let action = SigAction::new(SigHandler::Handler(nothing), flags, SigSet::empty());
        // SAFETY: the handler does nothing.
        unsafe { sigaction(Signal::SIGUSR1, &action) }.expect("SIGUSR1 can be handled");
        let _ = sys::signal_thread(self.thread, libc::SIGUSR1);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a thread sleeps in the kernel and goes on sleeping, or has ended.
fn wait_asleep(tid: i32) {
    let start = Instant::now();
    let mut asleep = 0;
    while asleep < 4 && start.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(1));
        let status = std::fs::read_to_string(format!("/proc/self/task/{tid}/stat")).unwrap_or_default();
        // "tid (name) S ...": the name may hold anything but ends with the last parenthesis.
        let state = status.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
        asleep = match state {
            Some('S') => asleep + 1,
            None => return,
            _ => 0,
        };
    }
}

impl Session {
    /// Starts `call` in a thread and waits until it waits; then `act` goes on, and in the end the call's own line is written.
    pub fn meanwhile(
        &mut self,
        name: &str,
        call: impl FnOnce() -> String + Send + 'static,
        act: impl FnOnce(&mut Self, &Waiting),
    ) {
        self.meanwhile_all(name, vec![Box::new(call)], |session, waiting| act(session, &waiting[0]));
    }

    /// The same for several threads at once, whose lines are sorted: who comes first is nobody's promise.
    pub fn meanwhile_all(
        &mut self,
        name: &str,
        calls: Vec<Box<dyn FnOnce() -> String + Send>>,
        act: impl FnOnce(&mut Self, &[Waiting]),
    ) {
        let mut threads = Vec::new();
        let mut waiting = Vec::new();
        for call in calls {
            let (tell, result) = channel();
            let (hello, started) = channel();
            threads.push(std::thread::spawn(move || {
                let _ = hello.send(nix::unistd::gettid().as_raw());
                let _ = tell.send(call());
            }));
            let thread = started.recv().expect("the thread says hello first");
            wait_asleep(thread);
            waiting.push(Waiting { thread, result, start: Instant::now() });
        }
        act(self, &waiting);
        let mut lines: Vec<_> = waiting.iter().map(|one| self.outcome(one)).collect();
        lines.sort();
        for line in lines {
            self.note(format!("{name} -> {line}"));
        }
        for thread in threads {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    }

    /// Waits until one of these calls has ended.
    pub fn wait_for_one(&mut self, waiting: &[Waiting]) {
        let start = Instant::now();
        while !waiting.iter().any(Waiting::has_ended) {
            if start.elapsed() > LIMIT / 5 {
                self.note("nobody was woken");
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn outcome(&mut self, waiting: &Waiting) -> String {
        // The sockets' own time-outs come first; what waits without one is woken by an end of everything.
        match waiting.result.recv_timeout(LIMIT + Duration::from_secs(1)) {
            Ok(line) if waiting.start.elapsed() >= LIMIT => format!("{line} (hung)"),
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => "panicked".to_owned(),
            Err(RecvTimeoutError::Timeout) => {
                for who in Who::BOTH {
                    let _ = sys::shut_down(self.fd(who), libc::SHUT_RDWR);
                }
                "hung".to_owned()
            }
        }
    }
}
