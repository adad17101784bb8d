//! Runs a [`Pattern`] between two processes and measures it. The processes are this program itself, started again; they
//! take orders on standard input and end with it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::netns::Netns;
use meshaccel_e2e_harness::{interrupt, wait};

use super::client::Phase;
use super::cpu::Reading;
use super::pattern::{Address, Pattern, Task};
use super::server::Report;

/// Subcommands of the program that uses this module: what they do is [`super::server::serve`] and
/// [`super::client::drive`].
pub const SERVER: &str = "load-server";
pub const CLIENT: &str = "load-client";

/// How long a process elsewhere may take to see that it is not needed any more.
const ORDERLY_END: Duration = Duration::from_secs(5);

/// Where a process runs.
#[derive(Debug, Clone, Copy)]
pub struct Placement<'a> {
    pub netns: &'a Netns,
    pub cgroup: Option<&'a Path>,
    pub processor: Option<usize>,
}

/// How to run this program's counterpart with these arguments where no [`Placement`] is, such as in a container: standard
/// input and output are this process's, and the end of its input is the end of it.
pub type Elsewhere<'a> = &'a dyn Fn(&[&str]) -> Command;

/// One process of a load.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    /// It must be asked to end: what could be killed is only somebody in between.
    elsewhere: bool,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts `part`, which makes no socket before it is where it belongs.
    fn start(part: &str, place: Placement, pattern: Pattern, address: &Address) -> Result<Self> {
        interrupt::check()?;
        let program = std::env::current_exe()?;
        let program = program.to_str().context("the path of this program is not UTF-8")?;
        let task = Task { pattern, address: address.clone(), processor: place.processor };
        let mut command: Command = place.netns.command(program);
        command.args([part, &serde_json::to_string(&task)?]);
        let mut worker = Self::spawn(command, false)?;
        if let Some(cgroup) = place.cgroup {
            std::fs::write(cgroup.join("cgroup.procs"), worker.child.id().to_string())?;
        }
        worker.say("begin")?;
        Ok(worker)
    }

    fn start_elsewhere(part: &str, run: Elsewhere, pattern: Pattern, address: &Address) -> Result<Self> {
        interrupt::check()?;
        let task = Task { pattern, address: address.clone(), processor: None };
        let mut worker = Self::spawn(run(&[part, &serde_json::to_string(&task)?]), true)?;
        worker.say("begin")?;
        Ok(worker)
    }

    fn spawn(mut command: Command, elsewhere: bool) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let (orders, answers) = (child.stdin.take(), child.stdout.take().context("standard output is piped")?);
        Ok(Self { child, elsewhere, orders, answers: BufReader::new(answers) })
    }

    /// A server, listening.
    pub fn server(place: Placement, pattern: Pattern, address: &Address) -> Result<Self> {
        Self::start(SERVER, place, pattern, address)?.listening(pattern)
    }

    /// The same elsewhere.
    pub fn server_elsewhere(run: Elsewhere, pattern: Pattern, address: &Address) -> Result<Self> {
        Self::start_elsewhere(SERVER, run, pattern, address)?.listening(pattern)
    }

    /// A client, connected, whose pattern has run for a while.
    pub fn client(place: Placement, pattern: Pattern, address: &Address) -> Result<Self> {
        Self::start(CLIENT, place, pattern, address)?.warm(pattern)
    }

    /// The same elsewhere.
    pub fn client_elsewhere(run: Elsewhere, pattern: Pattern, address: &Address) -> Result<Self> {
        Self::start_elsewhere(CLIENT, run, pattern, address)?.warm(pattern)
    }

    fn listening(mut self, pattern: Pattern) -> Result<Self> {
        ensure!(self.hear()? == "listening", "the server of {pattern:?} does not listen");
        Ok(self)
    }

    fn warm(mut self, pattern: Pattern) -> Result<Self> {
        ensure!(self.hear()? == "warm", "the client of {pattern:?} does not warm up");
        Ok(self)
    }

    /// Tells a client to go on for so long, without waiting for it.
    pub fn go(&mut self, length: Duration) -> Result<()> {
        self.say(&length.as_secs_f64().to_string())
    }

    fn say(&mut self, order: &str) -> Result<()> {
        // In one write: the server takes what one read returns as one order.
        let orders = self.orders.as_mut().context("it takes no orders any more")?;
        orders.write_all(format!("{order}\n").as_bytes()).context("a process of the load has ended")
    }

    fn hear(&mut self) -> Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        interrupt::check()?;
        ensure!(!line.is_empty(), "a process of the load has ended early");
        Ok(line.trim().to_owned())
    }

    fn report(&mut self) -> Result<Report> {
        self.say("report")?;
        Ok(serde_json::from_str(&self.hear()?)?)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.orders.take());
        if self.elsewhere {
            let _ = wait::wait_until(ORDERLY_END, "it ends", || self.child.try_wait().ok().flatten());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What one window showed.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Window {
    pub operations: u64,
    pub seconds: f64,
    /// CPU time of the whole machine.
    pub busy_us: f64,
    /// Bytes that applications sent, both directions.
    pub bytes: u64,
    /// Pieces that were not the bytes that belong there.
    pub mismatches: u64,
    pub p50_us: Option<f64>,
    pub p99_us: Option<f64>,
}

impl Window {
    /// The place of a window that has no result.
    pub const NOTHING: Self =
        Self { operations: 0, seconds: 0.0, busy_us: 0.0, bytes: 0, mismatches: 0, p50_us: None, p99_us: None };

    pub fn per_second(&self) -> f64 {
        self.operations as f64 / self.seconds
    }

    /// CPU time of one operation.
    pub fn cpu_us(&self) -> f64 {
        self.busy_us / self.operations as f64
    }
}

/// Both processes, connected and warm. The client holds its connections until this is dropped.
#[derive(Debug)]
pub struct Exchange {
    // Dropped first: a server without a client has nothing to complain about.
    client: Worker,
    /// `None`: somebody else's.
    server: Option<Worker>,
    pattern: Pattern,
}

impl Exchange {
    /// Starts both, the server listening on `address`.
    pub fn start(server: Placement, client: Placement, pattern: Pattern, address: &Address) -> Result<Self> {
        let server = Worker::server(server, pattern, address)?;
        Ok(Self::of(Some(server), Worker::client(client, pattern, address)?, pattern))
    }

    /// The client may know the server under another address than it listens on.
    pub fn of(server: Option<Worker>, client: Worker, pattern: Pattern) -> Self {
        Self { client, server, pattern }
    }

    /// Goes on for a while longer, unmeasured.
    pub fn warm_up(&mut self) -> Result<()> {
        self.client.go(Duration::from_millis(250))?;
        self.client.hear().map(drop)
    }

    /// One window of `length`.
    pub fn measure(&mut self, length: Duration) -> Result<Window> {
        let before = self.settled()?;
        let start = Reading::now()?;
        self.client.go(length)?;
        let phase: Phase = serde_json::from_str(&self.client.hear()?)?;
        let busy_us = Reading::now()?.busy_us_since(start);
        let after = self.settled()?;
        Ok(window(self.pattern, phase, before, after, busy_us))
    }

    /// What the server says once nothing is on its way any more.
    fn settled(&mut self) -> Result<Report> {
        let Some(server) = &mut self.server else { return Ok(Report::default()) };
        let mut last = server.report()?;
        interrupt::until("the server has read everything", Duration::from_secs(10), || {
            let before = std::mem::replace(&mut last, server.report()?);
            Ok((before.received == last.received).then_some(()))
        })?;
        Ok(last)
    }
}

/// Joins what both processes saw. A stream ends when its last byte has come, which only the receiver knows.
fn window(pattern: Pattern, phase: Phase, before: Report, after: Report, busy_us: f64) -> Window {
    let at_server = after.received - before.received;
    let client_seconds = (phase.end_ns - phase.start_ns) as f64 / 1e9;
    let server_seconds = after.last_at_ns.saturating_sub(phase.start_ns) as f64 / 1e9;
    let (operations, seconds) = match pattern {
        Pattern::Ask { .. } | Pattern::Connect { .. } | Pattern::Converse { .. } | Pattern::Call { .. } => {
            (phase.operations, client_seconds)
        }
        Pattern::Stream { size } => (at_server / size as u64, server_seconds),
        Pattern::Duplex { size } => ((at_server + phase.received) / size as u64, client_seconds.max(server_seconds)),
    };
    let bytes = match pattern {
        Pattern::Ask { .. } | Pattern::Connect { .. } | Pattern::Converse { .. } | Pattern::Call { .. } => {
            phase.sent + phase.received
        }
        Pattern::Stream { .. } => at_server,
        Pattern::Duplex { .. } => phase.sent + (after.sent - before.sent),
    };
    let mismatches = phase.mismatches + after.mismatches;
    Window { operations, seconds, busy_us, bytes, mismatches, p50_us: phase.p50_us, p99_us: phase.p99_us }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASE: Phase = Phase {
        operations: 10,
        sent: 640,
        received: 640,
        mismatches: 1,
        start_ns: 1_000_000_000,
        end_ns: 3_000_000_000,
        p50_us: None,
        p99_us: None,
    };
    const BEFORE: Report = Report { received: 64, sent: 64, mismatches: 0, last_at_ns: 900_000_000 };
    const AFTER: Report = Report { received: 1344, sent: 704, mismatches: 2, last_at_ns: 5_000_000_000 };

    #[test]
    fn answers_are_counted_by_the_client() {
        let window = window(Pattern::Ask { size: 64, connections: 1 }, PHASE, BEFORE, AFTER, 100.0);
        assert_eq!((window.per_second(), window.cpu_us(), window.bytes, window.mismatches), (5.0, 10.0, 1280, 3));
    }

    #[test]
    fn a_stream_ends_when_its_last_byte_has_come() {
        let window = window(Pattern::Stream { size: 64 }, PHASE, BEFORE, AFTER, 100.0);
        assert_eq!((window.operations, window.per_second(), window.bytes), (20, 5.0, 1280));
    }

    #[test]
    fn a_duplex_counts_both_ends() {
        let window = window(Pattern::Duplex { size: 64 }, PHASE, BEFORE, AFTER, 100.0);
        assert_eq!((window.operations, window.per_second(), window.bytes), (30, 7.5, 1280));
    }
}
