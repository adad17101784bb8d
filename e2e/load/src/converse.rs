//! The client of a [`Protocol`]: keep-alive connections, each with one request outstanding; every answer is compared.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::traffic::socket::Epoll;

use super::client::{Phase, Times};
use super::link::{PATIENCE_MS, connect, unless_it_waits, wait};
use super::pattern::Address;
use super::protocol::{Answer, Protocol};
use super::wheel::LONGEST;

/// All connections of a client.
#[derive(Debug)]
pub struct Conversation {
    talkers: Vec<Talker>,
    epoll: Epoll,
    request: Vec<u8>,
    answer: Answer,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Talker {
    stream: File,
    received: Vec<u8>,
    asked_at: Instant,
}

impl Conversation {
    /// Connects, opens every conversation, and asks the first question.
    pub fn new(address: &Address, protocol: Protocol, connections: usize) -> Result<Self> {
        let (epoll, request, mut talkers) = (Epoll::new()?, protocol.request(), Vec::new());
        for number in 0..connections {
            let stream = connect(address).context("the server does not listen")?;
            let mut talker = Talker { stream, received: Vec::new(), asked_at: Instant::now() };
            if let Some((opening, end)) = protocol.opening() {
                talker.open(&opening, end).context("the server does not answer the opening")?;
            }
            talker.ask(&request)?;
            epoll.add(talker.stream.as_fd(), libc::EPOLLIN, number)?;
            talkers.push(talker);
        }
        Ok(Self { talkers, epoll, request, answer: protocol.answer(), buffer: vec![0; LONGEST] })
    }

    pub fn run(&mut self, end: Instant) -> Result<Phase> {
        let (mut phase, mut times) = (Phase::default(), Times::default());
        let mut now = Instant::now();
        self.talkers.iter_mut().for_each(|talker| talker.asked_at = now);
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 256];
        while now < end {
            let count = self.epoll.wait_into(&mut events, PATIENCE_MS)?;
            ensure!(count > 0, "no answer for {PATIENCE_MS} ms");
            for event in &events[..count] {
                let talker = &mut self.talkers[event.u64 as usize];
                let Some(length) = unless_it_waits(talker.stream.read(&mut self.buffer))? else { continue };
                ensure!(length > 0, ErrorKind::UnexpectedEof);
                talker.received.extend_from_slice(&self.buffer[..length]);
                phase.received += length as u64;
                let Some(right) = self.answer.judge(&talker.received) else { continue };
                if !right {
                    phase.mismatches += 1;
                    // What follows a wrong answer cannot be told from its rest.
                    return Ok(phase);
                }
                now = Instant::now();
                times.add(now.duration_since(talker.asked_at));
                talker.asked_at = now;
                talker.ask(&self.request)?;
                phase.operations += 1;
                phase.sent += self.request.len() as u64;
            }
        }
        (phase.p50_us, phase.p99_us) = times.percentiles();
        Ok(phase)
    }
}

impl Talker {
    fn open(&mut self, opening: &[u8], end: &[u8]) -> Result<()> {
        self.stream.write_all(opening)?;
        let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
        while !received.ends_with(end) {
            wait(&self.stream, libc::POLLIN)?;
            let length = unless_it_waits(self.stream.read(&mut buffer))?;
            ensure!(length != Some(0), "{}", String::from_utf8_lossy(&received));
            received.extend_from_slice(&buffer[..length.unwrap_or(0)]);
        }
        Ok(())
    }

    /// Requests are small: a connection without anything on its way takes one whole.
    fn ask(&mut self, request: &[u8]) -> io::Result<()> {
        self.received.clear();
        self.stream.write_all(request)
    }
}
