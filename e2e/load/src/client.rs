//! The client's process: warms up, waits for the word, measures, and holds its connections until its standard input ends,
//! so that somebody can look at them.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::traffic::socket::Epoll;
use serde::{Deserialize, Serialize};

use super::converse::Conversation;
use super::flow::Duplex;
use super::grpc::Calls;
use super::link::{PATIENCE_MS, connect, unless_it_waits, wait};
use super::pattern::{Address, Pattern, Task};
use super::wheel::{LONGEST, Wheel};
use super::{monotonic_ns, pin};

/// Before the window: long enough for promotion, which no measured message should have to wait for.
const WARM_UP: Duration = Duration::from_millis(250);

/// What one phase showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// As this end sees them; of streams the server knows.
    pub operations: u64,
    pub sent: u64,
    pub received: u64,
    pub mismatches: u64,
    pub start_ns: u64,
    pub end_ns: u64,
    /// Of answers; microseconds.
    pub p50_us: Option<f64>,
    pub p99_us: Option<f64>,
}

/// How long answers took, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Times(Vec<u32>);

impl Times {
    pub(super) fn add(&mut self, time: Duration) {
        self.0.push(time.as_nanos() as u32);
    }

    /// 50 and 99 percent, in microseconds.
    pub(super) fn percentiles(mut self) -> (Option<f64>, Option<f64>) {
        self.0.sort_unstable();
        let of = |percent: usize| self.0.get(self.0.len() * percent / 100).map(|&ns| f64::from(ns) / 1000.0);
        (of(50), of(99))
    }
}

/// Warms up, and then runs for as many seconds as each line of standard input says.
pub fn drive(task: &Task) -> Result<()> {
    pin(task.processor)?;
    let (mut line, input) = (String::new(), io::stdin());
    ensure!(input.read_line(&mut line)? > 0, "nobody says begin");
    let mut client = Client::new(task)?;
    let warm_up = client.run(WARM_UP)?;
    println!("warm");
    let mut mismatches = warm_up.mismatches;
    loop {
        line.clear();
        if input.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let seconds: f64 = line.trim().parse().context("how many seconds?")?;
        let mut phase = client.run(Duration::from_secs_f64(seconds))?;
        // What was wrong before the window is as bad as in it.
        mismatches += phase.mismatches;
        phase.mismatches = mismatches;
        println!("{}", serde_json::to_string(&phase)?);
    }
}

struct Client<'a> {
    task: &'a Task,
    wheel: Wheel,
    buffer: Vec<u8>,
    askers: Vec<Asker>,
    epoll: Epoll,
    /// Of a stream.
    duplex: Duplex,
    /// Where the next short connection's bytes begin.
    next: u64,
    /// With a server of somebody else's.
    conversation: Option<Conversation>,
    calls: Option<Calls>,
}

/// One connection with one request outstanding.
struct Asker {
    stream: File,
    /// Where the request's bytes begin.
    position: u64,
    sent: usize,
    received: usize,
    waits_for_room: bool,
    /// A byte of this answer was not what belongs there.
    wrong: bool,
    asked_at: Instant,
}

impl<'a> Client<'a> {
    fn new(task: &'a Task) -> Result<Self> {
        let connections = match task.pattern {
            Pattern::Ask { connections, .. } => connections,
            Pattern::Stream { .. } | Pattern::Duplex { .. } => 1,
            Pattern::Connect { .. } | Pattern::Converse { .. } | Pattern::Call { .. } => 0,
        };
        let conversation = match task.pattern {
            Pattern::Converse { protocol, connections } => {
                Some(Conversation::new(&task.address, protocol, connections)?)
            }
            _ => None,
        };
        let calls = match (task.pattern, &task.address) {
            (Pattern::Call { size, connections }, Address::Tcp(server)) => {
                Some(Calls::new(*server, size, connections)?)
            }
            _ => None,
        };
        let (epoll, mut askers) = (Epoll::new()?, Vec::new());
        for number in 0..connections {
            let stream = connect(&task.address).context("the server does not listen")?;
            epoll.add(stream.as_fd(), libc::EPOLLIN, number)?;
            // Far apart: bytes of another connection do not fit.
            askers.push(Asker::new(stream, number as u64 * 1009));
        }
        let (wheel, duplex) = (Wheel::new(), Duplex::default());
        Ok(Self { task, wheel, buffer: vec![0; LONGEST], askers, epoll, duplex, next: 0, conversation, calls })
    }

    fn run(&mut self, length: Duration) -> Result<Phase> {
        let start_ns = monotonic_ns()?;
        let end = Instant::now() + length;
        let mut phase = match self.task.pattern {
            Pattern::Ask { size, .. } => self.ask(size, end),
            Pattern::Stream { size } => self.stream(size, end),
            Pattern::Duplex { size } => self.duplex(size, end),
            Pattern::Connect { size, requests } => self.connect(size, requests, end),
            Pattern::Converse { .. } => self.conversation.as_mut().context("nobody to talk to")?.run(end),
            Pattern::Call { .. } => self.calls.as_mut().context("gRPC is spoken over TCP only")?.run(end),
        }
        .with_context(|| format!("{:?}", self.task.pattern))?;
        (phase.start_ns, phase.end_ns) = (start_ns, monotonic_ns()?);
        Ok(phase)
    }

    fn ask(&mut self, size: usize, end: Instant) -> Result<Phase> {
        let (mut phase, mut times) = (Phase::default(), Times::default());
        let start = Instant::now();
        for (key, asker) in self.askers.iter_mut().enumerate() {
            asker.asked_at = start;
            if asker.sent == 0 {
                asker.send(&self.wheel, size, &self.epoll, key)?;
            }
        }
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 256];
        let mut now = start;
        while now < end {
            let count = self.epoll.wait_into(&mut events, PATIENCE_MS)?;
            ensure!(count > 0, "no answer for {PATIENCE_MS} ms");
            for event in &events[..count] {
                let key = event.u64 as usize;
                let asker = &mut self.askers[key];
                if asker.sent < size {
                    asker.send(&self.wheel, size, &self.epoll, key)?;
                    continue;
                }
                let Some(right) = asker.receive(&self.wheel, size, &mut self.buffer)? else { continue };
                phase.mismatches += u64::from(!right);
                now = Instant::now();
                times.add(now.duration_since(asker.asked_at));
                asker.asked_at = now;
                asker.send(&self.wheel, size, &self.epoll, key)?;
            }
        }
        phase.operations = times.0.len() as u64;
        phase.sent = phase.operations * size as u64;
        phase.received = phase.sent;
        (phase.p50_us, phase.p99_us) = times.percentiles();
        Ok(phase)
    }

    fn stream(&mut self, size: usize, end: Instant) -> Result<Phase> {
        let before = self.duplex.outgoing.position;
        while Instant::now() < end {
            // The clock is asked only now and then: it costs as much as a part of a small message.
            for _ in 0..16 {
                if !self.duplex.outgoing.send(&self.askers[0].stream, &self.wheel, size)? {
                    wait(&self.askers[0].stream, libc::POLLOUT)?;
                }
            }
        }
        let sent = self.duplex.outgoing.position - before;
        Ok(Phase { sent, operations: sent / size as u64, ..Phase::default() })
    }

    fn duplex(&mut self, size: usize, end: Instant) -> Result<Phase> {
        let stream = &self.askers[0].stream;
        let (sent, received) = (self.duplex.outgoing.position, self.duplex.incoming.position);
        let mismatches = self.duplex.incoming.mismatches;
        self.epoll.change(stream.as_fd(), libc::EPOLLIN | libc::EPOLLOUT, 0)?;
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 1];
        while Instant::now() < end {
            let count = self.epoll.wait_into(&mut events, PATIENCE_MS)?;
            ensure!(count > 0, "nothing moved for {PATIENCE_MS} ms");
            self.duplex.turn(stream, &self.wheel, size, events[0].events as i32, &mut self.buffer)?;
        }
        let received = self.duplex.incoming.position - received;
        Ok(Phase {
            sent: self.duplex.outgoing.position - sent,
            received,
            operations: received / size as u64,
            mismatches: self.duplex.incoming.mismatches - mismatches,
            ..Phase::default()
        })
    }

    fn connect(&mut self, size: usize, requests: usize, end: Instant) -> Result<Phase> {
        let mut phase = Phase::default();
        while Instant::now() < end {
            let mut stream = connect(&self.task.address)?;
            for _ in 0..requests {
                let request = self.wheel.at(self.next, size);
                ensure!(stream.write(request)? == size, "a new connection does not take {size} bytes");
                let mut filled = 0;
                while filled < size {
                    wait(&stream, libc::POLLIN)?;
                    let read = unless_it_waits(stream.read(&mut self.buffer[filled..size]))?;
                    ensure!(read != Some(0), ErrorKind::UnexpectedEof);
                    filled += read.unwrap_or(0);
                }
                phase.mismatches += u64::from(&self.buffer[..size] != request);
                self.next += 101 + size as u64;
            }
            phase.operations += 1;
        }
        phase.sent = phase.operations * (requests * size) as u64;
        phase.received = phase.sent;
        Ok(phase)
    }
}

impl Asker {
    fn new(stream: File, position: u64) -> Self {
        Self { stream, position, sent: 0, received: 0, waits_for_room: false, wrong: false, asked_at: Instant::now() }
    }

    /// Sends the request, or what is left of it.
    fn send(&mut self, wheel: &Wheel, size: usize, epoll: &Epoll, key: usize) -> io::Result<()> {
        let rest = &wheel.at(self.position, size)[self.sent..];
        self.sent += unless_it_waits((&self.stream).write(rest))?.unwrap_or(0);
        let waits = self.sent < size;
        if waits != self.waits_for_room {
            self.waits_for_room = waits;
            epoll.change(self.stream.as_fd(), if waits { libc::EPOLLOUT } else { libc::EPOLLIN }, key)?;
        }
        Ok(())
    }

    /// Reads and compares what there is of the answer; whether it was right, once it is whole.
    fn receive(&mut self, wheel: &Wheel, size: usize, buffer: &mut [u8]) -> io::Result<Option<bool>> {
        let length = match unless_it_waits((&self.stream).read(&mut buffer[..size - self.received]))? {
            Some(0) => return Err(ErrorKind::UnexpectedEof.into()),
            read => read.unwrap_or(0),
        };
        self.wrong |= !wheel.fits(self.position + self.received as u64, &buffer[..length]);
        self.received += length;
        if self.received < size {
            return Ok(None);
        }
        let right = !self.wrong;
        // The next request begins elsewhere: an answer to this one does not fit there.
        self.position += size as u64 + 7;
        (self.sent, self.received, self.wrong) = (0, 0, false);
        Ok(Some(right))
    }
}
