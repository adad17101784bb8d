//! The server's process: one epoll loop over all connections, as a proxy has. Lines on its standard input are orders.
//!
//! To [`Pattern::Ask`] and [`Pattern::Connect`] it sends back what it got, so that the client's own check covers both
//! directions of each connection; streams it checks itself.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use anyhow::Result;
use meshaccel_e2e_harness::traffic::socket::Epoll;
use serde::{Deserialize, Serialize};

use super::flow::{Duplex, Incoming};
use super::link::{Listener, unless_it_waits};
use super::pattern::{Pattern, Task};
use super::wheel::{LONGEST, Wheel};
use super::{monotonic_ns, pin};

/// What it says when it is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub received: u64,
    pub sent: u64,
    pub mismatches: u64,
    /// When the last bytes of a stream came (CLOCK_MONOTONIC, which all processes share).
    pub last_at_ns: u64,
}

const LISTENER: usize = 0;
const ORDERS: usize = 1;
const FIRST: usize = 2;

/// One connection, by what its pattern asks of the server.
enum Connection {
    Echo { stream: File, message: Vec<u8>, filled: usize, sent: usize },
    Sink { stream: File, incoming: Incoming },
    Duplex { stream: File, size: usize, duplex: Duplex },
}

struct Server {
    pattern: Pattern,
    wheel: Wheel,
    epoll: Epoll,
    /// By key, less [`FIRST`].
    connections: Vec<Option<Connection>>,
    report: Report,
    buffer: Vec<u8>,
}

/// Serves until its standard input ends.
pub fn serve(task: &Task) -> Result<()> {
    pin(task.processor)?;
    let (mut input, mut line) = (File::from(io::stdin().as_fd().try_clone_to_owned()?), [0; 64]);
    // The first order: it has been put where it belongs, and may make sockets now.
    if input.read(&mut line)? == 0 {
        return Ok(());
    }
    let (listener, epoll) = (Listener::new(&task.address)?, Epoll::new()?);
    epoll.add(listener.as_fd(), libc::EPOLLIN, LISTENER)?;
    epoll.add(input.as_fd(), libc::EPOLLIN, ORDERS)?;
    let (pattern, wheel, report) = (task.pattern, Wheel::new(), Report::default());
    let mut server = Server { pattern, wheel, epoll, connections: Vec::new(), report, buffer: vec![0; LONGEST] };
    println!("listening");
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 256];
    loop {
        let count = server.epoll.wait_into(&mut events, -1)?;
        for event in &events[..count] {
            match event.u64 as usize {
                LISTENER => {
                    while let Some(stream) = listener.accept()? {
                        server.welcome(stream)?;
                    }
                }
                ORDERS => {
                    if input.read(&mut line)? == 0 {
                        return Ok(());
                    }
                    println!("{}", serde_json::to_string(&server.report)?);
                }
                key => server.turn(key, event.events as i32)?,
            }
        }
    }
}

impl Server {
    fn welcome(&mut self, stream: File) -> io::Result<()> {
        let free = self.connections.iter().position(Option::is_none).unwrap_or(self.connections.len());
        if free == self.connections.len() {
            self.connections.push(None);
        }
        let events = match self.pattern {
            Pattern::Duplex { .. } => libc::EPOLLIN | libc::EPOLLOUT,
            _ => libc::EPOLLIN,
        };
        self.epoll.add(stream.as_fd(), events, FIRST + free)?;
        self.connections[free] = Some(match self.pattern {
            Pattern::Ask { size, .. } | Pattern::Connect { size, .. } => {
                Connection::Echo { stream, message: vec![0; size], filled: 0, sent: 0 }
            }
            Pattern::Stream { .. } => Connection::Sink { stream, incoming: Incoming::default() },
            Pattern::Duplex { size } => Connection::Duplex { stream, size, duplex: Duplex::default() },
            Pattern::Converse { .. } | Pattern::Call { .. } => return Ok(()),
        });
        Ok(())
    }

    /// A connection that has ended, well or badly, is closed: what that means is the client's to say.
    fn turn(&mut self, key: usize, events: i32) -> Result<()> {
        let Some(slot) = self.connections.get_mut(key - FIRST) else { return Ok(()) };
        let Some(connection) = slot else { return Ok(()) };
        let (wheel, buffer, report) = (&self.wheel, &mut self.buffer, &mut self.report);
        let result = match connection {
            Connection::Echo { stream, message, filled, sent } => {
                let result = echo(stream, message, filled, sent, report);
                // Only an answer that did not fit at once has to wait for room.
                if let Ok(Some(events)) = result {
                    self.epoll.change(stream.as_fd(), events, key)?;
                }
                result.map(drop)
            }
            Connection::Sink { stream, incoming } => {
                let before = incoming.mismatches;
                let result = incoming.receive(stream, wheel, buffer);
                report.received += *result.as_ref().unwrap_or(&0) as u64;
                report.mismatches += incoming.mismatches - before;
                report.last_at_ns = monotonic_ns()?;
                result.map(drop)
            }
            Connection::Duplex { stream, size, duplex } => {
                let before = (duplex.incoming.mismatches, duplex.incoming.position, duplex.outgoing.position);
                let result = duplex.turn(stream, wheel, *size, events, buffer);
                report.mismatches += duplex.incoming.mismatches - before.0;
                if duplex.incoming.position > before.1 {
                    report.received += duplex.incoming.position - before.1;
                    report.last_at_ns = monotonic_ns()?;
                }
                report.sent += duplex.outgoing.position - before.2;
                result
            }
        };
        if result.is_err() {
            *slot = None;
        }
        Ok(())
    }
}

/// Reads what there is of a request and sends it back once it is whole. The events to wait for from now on, when they
/// change.
fn echo(
    mut stream: &File,
    message: &mut [u8],
    filled: &mut usize,
    sent: &mut usize,
    report: &mut Report,
) -> io::Result<Option<i32>> {
    let waited = *filled == message.len();
    if !waited {
        match unless_it_waits(stream.read(&mut message[*filled..]))? {
            Some(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => *filled += read.unwrap_or(0),
        }
        if *filled < message.len() {
            return Ok(None);
        }
    }
    *sent += unless_it_waits(stream.write(&message[*sent..]))?.unwrap_or(0);
    if *sent < message.len() {
        return Ok((!waited).then_some(libc::EPOLLOUT));
    }
    report.received += message.len() as u64;
    report.sent += message.len() as u64;
    (*filled, *sent) = (0, 0);
    Ok(waited.then_some(libc::EPOLLIN))
}
