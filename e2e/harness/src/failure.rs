//! A test alone on the machine, and a report that says why when it fails.

use std::cell::RefCell;
use std::fs::File;
use std::time::Instant;

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};

#[derive(Default)]
struct Notes {
    logs: Vec<String>,
    leftovers: Vec<String>,
}

thread_local! {
    static NOTES: RefCell<Notes> = RefCell::default();
}

/// Keeps a daemon's log for the report of a failing test.
pub fn note_log(log: String) {
    NOTES.with_borrow_mut(|notes| notes.logs.push(log));
}

/// Makes the running test fail: something stayed in the kernel.
pub fn note_leftover(what: String) {
    NOTES.with_borrow_mut(|notes| notes.leftovers.push(what));
}

/// Runs one test alone on this machine, as root, and panics with everything that explains its failure.
///
/// Alone: the counters of slabs and of programs are the machine's, and so are the two processors that timings need.
/// The lock is a file, so it holds across test binaries and runners.
pub fn check(body: impl FnOnce() -> Result<()>) {
    assert!(
        nix::unistd::geteuid().is_root(),
        "kernel tests load BPF programs and make network namespaces: run them as root"
    );
    let _alone = alone().unwrap_or_else(|error| panic!("{error:#}"));
    NOTES.with_borrow_mut(|notes| *notes = Notes::default());
    let start = Instant::now();
    let result = body();
    // The test runner's own time includes waiting for the machine.
    eprintln!("--- took {:.1} s", start.elapsed().as_secs_f64());
    let notes = NOTES.take();
    if result.is_ok() && notes.leftovers.is_empty() {
        return;
    }
    for log in &notes.logs {
        let lines: Vec<&str> = log.lines().collect();
        eprintln!("--- the daemon wrote (last 40 lines) ---\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
    }
    for leftover in &notes.leftovers {
        eprintln!("--- left behind: {leftover}");
    }
    match result {
        Err(error) => panic!("{error:#}{}", places(&error)),
        Ok(()) => panic!("the test passed but left something behind"),
    }
}

/// The lines of the test that the error came through, when backtraces are on (RUST_BACKTRACE=1).
fn places(error: &anyhow::Error) -> String {
    let backtrace = error.backtrace().to_string();
    backtrace.lines().filter(|line| line.contains("/tests/")).map(|line| format!("\n  {}", line.trim())).collect()
}

fn alone() -> Result<Flock<File>> {
    let path = "/run/lock/meshaccel-kernel-tests";
    let file = File::create(path).or_else(|_| File::create("/tmp/meshaccel-kernel-tests.lock"))?;
    Flock::lock(file, FlockArg::LockExclusive)
        .map_err(|(_, errno)| errno)
        .with_context(|| format!("cannot lock {path}"))
}
