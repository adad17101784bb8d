//! One direction-pair of a connection that streams: what it has sent, and what it has received and checked.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};

use super::link::unless_it_waits;
use super::wheel::Wheel;

/// The sending end of a stream of equal messages.
#[derive(Debug, Default)]
pub struct Outgoing {
    pub position: u64,
}

impl Outgoing {
    /// Sends the next message, or the rest of one that was taken in part; `false` when the socket takes no more.
    pub fn send(&mut self, mut stream: &File, wheel: &Wheel, size: usize) -> io::Result<bool> {
        let rest = size - (self.position % size as u64) as usize;
        let sent = unless_it_waits(stream.write(wheel.at(self.position, rest)))?;
        self.position += sent.unwrap_or(0) as u64;
        Ok(sent.is_some())
    }
}

/// The receiving end; compares every byte.
#[derive(Debug, Default)]
pub struct Incoming {
    pub position: u64,
    /// Pieces that were not the bytes that belong there.
    pub mismatches: u64,
}

impl Incoming {
    /// Reads once: the bytes that came, 0 when there is nothing to read now. The end of the stream is an error.
    pub fn receive(&mut self, mut stream: &File, wheel: &Wheel, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(length) = unless_it_waits(stream.read(buffer))? else { return Ok(0) };
        if length == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.mismatches += u64::from(!wheel.fits(self.position, &buffer[..length]));
        self.position += length as u64;
        Ok(length)
    }
}

/// Messages that a duplex end sends before it looks for what has come.
const BURST: usize = 8;

/// One end of a connection that sends and receives without pause.
#[derive(Debug, Default)]
pub struct Duplex {
    pub outgoing: Outgoing,
    pub incoming: Incoming,
}

impl Duplex {
    /// One turn of an event loop.
    pub fn turn(
        &mut self,
        stream: &File,
        wheel: &Wheel,
        size: usize,
        events: i32,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        if events & libc::EPOLLIN != 0 {
            self.incoming.receive(stream, wheel, buffer)?;
        }
        if events & libc::EPOLLOUT != 0 {
            for _ in 0..BURST {
                if !self.outgoing.send(stream, wheel, size)? {
                    break;
                }
            }
        }
        Ok(())
    }
}
