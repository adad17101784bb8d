//! The exchange with threads: two a side, so a reader can be blocked in recv while its own side writes.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::end::{End, Incoming, Outgoing, Pair};
use super::fault::{Fault, Faults};
use super::patience;
use super::shape::{Amount, Messages, Pace, Reader, Shape};
use super::socket::{self, Epoll};

const STACK: usize = 256 << 10;
const READ: usize = 64 << 10;
/// A slow reader takes this much a call ...
const SLOW_READ: usize = 700;
/// ... and after this many bytes leaves the sender alone for a moment. A stimulus, not a wait for something.
const SLOW_STRETCH: u64 = 16 << 10;
const SLOW_PAUSE: Duration = Duration::from_millis(2);

/// How a thread waits before it reads.
pub struct Readable<'a> {
    stream: &'a TcpStream,
    reader: Reader,
    epoll: Option<Epoll>,
    /// Edge-triggered: whether the last call may have left something.
    maybe_more: bool,
}

impl<'a> Readable<'a> {
    pub fn new(stream: &'a TcpStream, reader: Reader) -> io::Result<Self> {
        let mut epoll = None;
        if matches!(reader, Reader::Level | Reader::Edge) {
            let edge = if reader == Reader::Edge { libc::EPOLLET } else { 0 };
            let set = Epoll::new()?;
            set.add(stream.as_fd(), libc::EPOLLIN | libc::EPOLLRDHUP | edge, 0)?;
            epoll = Some(set);
        }
        Ok(Self { stream, reader, epoll, maybe_more: reader == Reader::Edge })
    }

    /// One receive call in this reader's manner; an empty poll is reported like a timed-out recv.
    pub fn receive(&mut self, incoming: &mut Incoming, size: usize) -> Result<io::Result<usize>, Fault> {
        if self.reader == Reader::Recv {
            return incoming.receive_some(self.stream, size);
        }
        loop {
            if !self.maybe_more {
                match self.wait() {
                    Ok(true) => {}
                    Ok(false) => return Ok(Err(io::ErrorKind::TimedOut.into())),
                    Err(error) => return Ok(Err(error)),
                }
            }
            let result = incoming.receive_once(self.stream, size, libc::MSG_DONTWAIT)?;
            self.maybe_more = self.reader == Reader::Edge && result.is_ok();
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Ok(result),
            }
        }
    }

    fn wait(&self) -> io::Result<bool> {
        let limit = patience().as_millis() as i32;
        match &self.epoll {
            Some(epoll) => epoll.wait(limit).map(|events| !events.is_empty()),
            None => socket::poll(self.stream, libc::POLLIN, limit).map(|events| events != 0),
        }
    }
}

/// Runs one shape on each pair, all at once, and waits for all. Ends stay usable when the shape does not close.
pub fn exchange(pairs: &mut [Pair], shape_of: impl Fn(usize) -> Shape) -> Result<(), Faults> {
    let faults = std::thread::scope(|scope| {
        let mut threads = Vec::with_capacity(pairs.len() * 4);
        for (index, pair) in pairs.iter_mut().enumerate() {
            let shape = shape_of(index);
            for (end, is_client) in [(&mut pair.client, true), (&mut pair.server, false)] {
                let (out, into) = directions(&shape, is_client);
                let End { stream, outgoing, incoming } = end;
                let stream = &*stream;
                let (write_shape, read_shape) = (shape.clone(), shape.clone());
                threads.push(spawn(scope, move || {
                    let messages = Messages::new(&out, write_shape.seed, u64::from(is_client));
                    free_the_others(stream, write(stream, outgoing, messages, &write_shape))
                }));
                threads.push(spawn(scope, move || {
                    free_the_others(stream, read(stream, incoming, into.bytes, &read_shape))
                }));
            }
        }
        let joined = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|p| std::panic::resume_unwind(p)));
        joined.filter_map(Result::err).collect()
    });
    Faults(faults).into_result()
}

/// The amounts (written, read) of one side.
pub(super) fn directions(shape: &Shape, is_client: bool) -> (Amount, Amount) {
    if is_client {
        (shape.to_server.clone(), shape.to_client.clone())
    } else {
        (shape.to_client.clone(), shape.to_server.clone())
    }
}

/// After a fault nobody may wait for bytes that will not come: the socket is shut down, and the report comes at once.
fn free_the_others(stream: &TcpStream, result: Result<(), Fault>) -> Result<(), Fault> {
    if result.is_err() {
        let _ = stream.shutdown(Shutdown::Both);
    }
    result
}

fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    body: impl FnOnce() -> T + Send + 'scope,
) -> std::thread::ScopedJoinHandle<'scope, T> {
    std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, body).expect("a thread with a small stack")
}

fn write(stream: &TcpStream, outgoing: &mut Outgoing, messages: Messages, shape: &Shape) -> Result<(), Fault> {
    for size in messages {
        outgoing.send(stream, size)?;
    }
    if shape.close {
        stream.shutdown(Shutdown::Write).map_err(|error| outgoing.failed("shutdown", error))?;
    }
    Ok(())
}

fn read(stream: &TcpStream, incoming: &mut Incoming, bytes: u64, shape: &Shape) -> Result<(), Fault> {
    let mut readable = Readable::new(stream, shape.reader).map_err(|error| incoming.failed("epoll", error))?;
    let end = incoming.offset + bytes;
    let mut pause_at = incoming.offset + SLOW_STRETCH;
    while incoming.offset < end {
        let most = if shape.pace == Pace::Slow { SLOW_READ } else { READ };
        let size = most.min((end - incoming.offset) as usize);
        let since = Instant::now();
        match readable.receive(incoming, size)? {
            Ok(0) => return Err(incoming.ended()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(incoming.failed_since("recv", error, since)),
        }
        if shape.pace == Pace::Slow && incoming.offset >= pause_at {
            pause_at = incoming.offset + SLOW_STRETCH;
            std::thread::sleep(SLOW_PAUSE);
        }
    }
    if shape.close { incoming.expect_end(stream) } else { Ok(()) }
}
