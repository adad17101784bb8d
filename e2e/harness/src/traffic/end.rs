//! One end of a connection: its socket, the stream it writes and the stream it checks.
//!
//! Every byte sent through an [`End`] is the next of its pattern and every byte received is compared, so tests only say
//! how much goes which way.

use std::cell::RefCell;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Instant;

use super::fault::{Fault, What};
use super::pattern::{Direction, Pattern};
use super::socket;

/// The stream that an end writes.
#[derive(Debug)]
pub struct Outgoing {
    pub pattern: Pattern,
    /// Bytes that the kernel took.
    pub offset: u64,
}

/// The stream that an end reads.
#[derive(Debug)]
pub struct Incoming {
    pub pattern: Pattern,
    /// Bytes that came and were right.
    pub offset: u64,
}

/// One end of a connection.
#[derive(Debug)]
pub struct End {
    pub stream: TcpStream,
    pub outgoing: Outgoing,
    pub incoming: Incoming,
}

/// Both ends of a connection, as the test holds them; the two may live in different namespaces.
#[derive(Debug)]
pub struct Pair {
    pub client: End,
    pub server: End,
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends the thread's buffer: thousands of ends must not own a megabyte each.
fn with_buffer<T>(size: usize, body: impl FnOnce(&mut [u8]) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| {
        if buffer.len() < size {
            buffer.resize(size, 0);
        }
        body(&mut buffer[..size])
    })
}

impl Outgoing {
    /// One send call of up to `size` bytes. What the kernel did not take is the caller's to send again.
    pub fn send_once(&mut self, stream: &TcpStream, size: usize, flags: i32) -> io::Result<usize> {
        let n = with_buffer(size, |buffer| {
            self.pattern.fill(self.offset, buffer);
            socket::send(stream, buffer, flags)
        })?;
        self.offset += n as u64;
        Ok(n)
    }

    /// Sends `size` bytes as one message: one call, and further ones only for what was not taken.
    pub fn send(&mut self, stream: &TcpStream, size: usize) -> Result<(), Fault> {
        let mut left = size;
        while left > 0 {
            let since = Instant::now();
            match socket::patiently(stream, libc::POLLOUT, || self.send_once(stream, left, 0)) {
                Ok(n) => left -= n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed_since("send", error, since)),
            }
        }
        Ok(())
    }

    pub fn failed(&self, doing: &'static str, error: io::Error) -> Fault {
        self.failed_since(doing, error, Instant::now())
    }

    /// A call that may wait, begun at `since`.
    pub fn failed_since(&self, doing: &'static str, error: io::Error, since: Instant) -> Fault {
        Fault::failed(self.pattern, self.offset, doing, error, since)
    }
}

impl Incoming {
    /// One receive call of up to `size` bytes, checked. `Ok(Ok(0))` is the end of the stream.
    pub fn receive_once(&mut self, stream: &TcpStream, size: usize, flags: i32) -> Result<io::Result<usize>, Fault> {
        with_buffer(size, |buffer| match socket::receive(stream, buffer, flags) {
            Ok(n) => {
                if let Some(at) = self.pattern.first_wrong(self.offset, &buffer[..n]) {
                    return Err(Fault::wrong(self.pattern, self.offset + at as u64, &buffer[at..n]));
                }
                if flags & libc::MSG_PEEK == 0 {
                    self.offset += n as u64;
                }
                Ok(Ok(n))
            }
            Err(error) => Ok(Err(error)),
        })
    }

    /// One receive call that waits, inside recv or, on a non-blocking descriptor, in poll(2) after EAGAIN.
    pub fn receive_some(&mut self, stream: &TcpStream, size: usize) -> Result<io::Result<usize>, Fault> {
        let mut fault = None;
        let result = socket::patiently(stream, libc::POLLIN, || {
            self.receive_once(stream, size, 0).unwrap_or_else(|wrong| {
                fault = Some(wrong);
                Ok(0)
            })
        });
        fault.map_or(Ok(result), Err)
    }

    /// Receives exactly `size` bytes, however long it takes.
    pub fn receive(&mut self, stream: &TcpStream, size: usize) -> Result<(), Fault> {
        let mut left = size;
        while left > 0 {
            let since = Instant::now();
            match self.receive_some(stream, left.min(64 << 10))? {
                Ok(0) => return Err(self.ended()),
                Ok(n) => left -= n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed_since("recv", error, since)),
            }
        }
        Ok(())
    }

    /// Waits for the end of the stream; a byte before it is a fault.
    pub fn expect_end(&mut self, stream: &TcpStream) -> Result<(), Fault> {
        let since = Instant::now();
        with_buffer(4096, |buffer| {
            match socket::patiently(stream, libc::POLLIN, || socket::receive(stream, buffer, 0)) {
                Ok(0) => Ok(()),
                Ok(n) => Err(Fault::extra(self.pattern, self.offset, &buffer[..n])),
                Err(error) => Err(self.failed_since("recv at the end", error, since)),
            }
        })
    }

    pub fn ended(&self) -> Fault {
        Fault { pattern: self.pattern, offset: self.offset, what: What::EarlyEnd }
    }

    pub fn failed(&self, doing: &'static str, error: io::Error) -> Fault {
        self.failed_since(doing, error, Instant::now())
    }

    /// A call that may wait, begun at `since`.
    pub fn failed_since(&self, doing: &'static str, error: io::Error, since: Instant) -> Fault {
        Fault::failed(self.pattern, self.offset, doing, error, since)
    }
}

impl End {
    /// The client's end of connection number `connection`.
    pub fn client(stream: TcpStream, connection: u32) -> Self {
        Self::new(stream, connection, Direction::ToServer, Direction::ToClient)
    }

    /// The server's end.
    pub fn server(stream: TcpStream, connection: u32) -> Self {
        Self::new(stream, connection, Direction::ToClient, Direction::ToServer)
    }

    fn new(stream: TcpStream, connection: u32, out: Direction, into: Direction) -> Self {
        Self {
            stream,
            outgoing: Outgoing { pattern: Pattern::new(connection, out), offset: 0 },
            incoming: Incoming { pattern: Pattern::new(connection, into), offset: 0 },
        }
    }

    /// Sends the next `size` bytes as one message.
    pub fn send(&mut self, size: usize) -> Result<(), Fault> {
        self.outgoing.send(&self.stream, size)
    }

    /// Sends without waiting until the kernel takes no more, `size` bytes a call; the bytes taken, at most `limit`.
    pub fn send_until_full(&mut self, size: usize, limit: u64) -> Result<u64, Fault> {
        let start = self.outgoing.offset;
        while self.outgoing.offset - start < limit {
            match self.outgoing.send_once(&self.stream, size, libc::MSG_DONTWAIT) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(self.outgoing.failed("send", error)),
            }
        }
        Ok(self.outgoing.offset - start)
    }

    /// Receives exactly the next `size` bytes.
    pub fn receive(&mut self, size: usize) -> Result<(), Fault> {
        self.incoming.receive(&self.stream, size)
    }

    /// Nothing may be there to read, and the stream may not have ended.
    pub fn expect_silence(&mut self) -> Result<(), Fault> {
        match self.incoming.receive_once(&self.stream, 4096, libc::MSG_DONTWAIT)? {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Ok(0) => Err(self.incoming.ended()),
            Ok(_) => Err(Fault::extra(self.incoming.pattern, self.incoming.offset, &[])),
            Err(error) => Err(self.incoming.failed("recv of nothing", error)),
        }
    }

    /// Shuts the sending direction down.
    pub fn finish(&mut self) -> Result<(), Fault> {
        self.stream.shutdown(Shutdown::Write).map_err(|error| self.outgoing.failed("shutdown", error))
    }

    /// Waits for the other end to have shut down.
    pub fn expect_end(&mut self) -> Result<(), Fault> {
        self.incoming.expect_end(&self.stream)
    }

    /// Number of the connection, as faults name it.
    pub fn connection(&self) -> u32 {
        self.outgoing.pattern.connection
    }

    /// Own address, v4-mapped ones as IPv4.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr().map(socket::canonical)
    }

    /// The other end's address as this end sees it.
    pub fn remote(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr().map(socket::canonical)
    }
}

impl Pair {
    /// Both directions shut down one after the other, the client first; each end must see the other's end of stream.
    pub fn close(&mut self) -> Result<(), Fault> {
        self.client.finish()?;
        self.server.expect_end()?;
        self.server.finish()?;
        self.client.expect_end()
    }

    /// Makes both descriptors blocking, or non-blocking.
    pub fn set_blocking(&self, blocking: bool) -> io::Result<()> {
        self.client.stream.set_nonblocking(!blocking)?;
        self.server.stream.set_nonblocking(!blocking)
    }
}
