//! splice(2) from and to a socket, also after it was read with recv.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use anyhow::{Context, Result};
use libc::{SPLICE_F_MORE, SPLICE_F_NONBLOCK};

use crate::Who::{Receiver, Sender};
use crate::options::{FIONREAD, SO_RCVLOWAT};
use crate::session::LIMIT;
use crate::{behaviours, names, sys, Session};

behaviours! {
    "splice(2)":
        splice_what_waits,
        splice_a_part_and_receive_the_rest,
        splice_after_receives,
        splice_of_nothing,
        splice_at_the_end,
        splice_of_several_messages,
        splice_before_the_bytes_come,
        splice_of_a_blocking_descriptor,
        splice_when_poll_says_so,
        splice_after_a_reset,
        splice_after_a_peek,
        splice_with_a_low_water_mark,
        splice_into_the_socket,
        splice_into_the_socket_with_more_to_come,
        splice_through_to_the_own_peer,
        splice_large_both_ways;
}

struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
}

impl Pipe {
    fn new() -> Result<Self> {
        let (out, into) = nix::unistd::pipe2(nix::fcntl::OFlag::O_NONBLOCK).context("pipe2")?;
        Ok(Self { out, into })
    }

    /// What is in the pipe.
    fn tell(&self, session: &mut Session) {
        let mut buffer = vec![0; 100_000];
        let read = sys::read(self.out.as_raw_fd(), &mut buffer);
        buffer.truncate(read.unwrap_or(0));
        session.note(format!("the pipe holds {} {}", names::answer(read), names::bytes(&buffer)));
    }
}

fn spliced(session: &mut Session, from: RawFd, to: RawFd, size: usize, flags: u32) -> usize {
    let answer = sys::splice(from, to, size, flags);
    session.note(format!("splice of {size} -> {}", names::answer(answer)));
    session.settle();
    answer.unwrap_or(0)
}

/// splice from the receiver into a pipe, and what came.
fn out(session: &mut Session, pipe: &Pipe, size: usize) {
    let receiver = session.fd(Receiver);
    if spliced(session, receiver, pipe.into.as_raw_fd(), size, SPLICE_F_NONBLOCK) > 0 {
        pipe.tell(session);
    }
}

fn splice_what_waits(session: &mut Session) -> Result<()> {
    let pipe = Pipe::new()?;
    let _ = session.send(Sender, "through the pipe", 0);
    out(session, &pipe, 100);
    out(session, &pipe, 100);
    session.receive(Receiver, 100, 0);
    session.exchange();
    Ok(())
}

fn splice_a_part_and_receive_the_rest(session: &mut Session) -> Result<()> {
    let pipe = Pipe::new()?;
    let _ = session.send(Sender, "spliced received", 0);
    out(session, &pipe, 8);
    session.receive(Receiver, 100, 0);
    let _ = session.send(Sender, "received spliced", 0);
    session.receive(Receiver, 9, 0);
    out(session, &pipe, 100);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn splice_after_receives(session: &mut Session) -> Result<()> {
    let pipe = Pipe::new()?;
    for _ in 0..5 {
        session.exchange();
    }
    for text in ["first", "second", "third"] {
        let _ = session.send(Sender, text, 0);
        out(session, &pipe, 100);
    }
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn splice_of_nothing(session: &mut Session) -> Result<()> {
    let pipe = Pipe::new()?;
    out(session, &pipe, 100);
    out(session, &pipe, 0);
    session.exchange();
    out(session, &pipe, 100);
    Ok(())
}

fn splice_at_the_end(session: &mut Session) -> Result<()> {
    let pipe = Pipe::new()?;
    let _ = session.send(Sender, "last", 0);
    session.shut_down(Sender, libc::SHUT_WR);
    out(session, &pipe, 2);
    out(session, &pipe, 100);
    out(session, &pipe, 100);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn splice_of_several_messages(session: &mut Session) -> Result<()> {
    let pipe = Pipe::new()?;
    for size in [10, 2000, 30] {
        session.write(Sender, size);
    }
    session.ask(Receiver, FIONREAD);
    out(session, &pipe, 2040);
    session.receive(Receiver, 2040, 0);
    Ok(())
}

fn splice_before_the_bytes_come(session: &mut Session) -> Result<()> {
    let pipe = Pipe::new()?;
    for text in ["one", "two", "three"] {
        out(session, &pipe, 100);
        let _ = session.send(Sender, text, 0);
        session.wait(Receiver, libc::POLLIN);
        out(session, &pipe, 100);
    }
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn splice_of_a_blocking_descriptor(session: &mut Session) -> Result<()> {
    let pipe = Pipe::new()?;
    session.set_blocking(Receiver, true);
    let (from, to) = (session.fd(Receiver), pipe.into.as_raw_fd());
    let call = move || names::answer(sys::splice(from, to, 100, 0));
    session.meanwhile("splice", call, |session, _| {
        let _ = session.send(Sender, "at last", 0);
    });
    pipe.tell(session);
    Ok(())
}

/// What Go's io.Copy and HAProxy do: they wait for POLLIN, then splice until EAGAIN.
fn splice_when_poll_says_so(session: &mut Session) -> Result<()> {
    let pipe = Pipe::new()?;
    for _ in 0..3 {
        session.write(Sender, 500);
        session.write(Sender, 500);
        let mut left = 1000;
        let mut empty = 0;
        while left > 0 && empty < 3 {
            let _ = sys::poll(session.fd(Receiver), libc::POLLIN, LIMIT.as_millis() as i32 / 5);
            match sys::splice(session.fd(Receiver), pipe.into.as_raw_fd(), left, SPLICE_F_NONBLOCK) {
                Ok(n) if n > 0 => left -= n,
                _ => empty += 1,
            }
        }
        session.tell(Receiver, format_args!("has spliced all but {left}"));
        pipe.tell(session);
        session.receive(Receiver, 1000, 0);
        session.exchange();
    }
    Ok(())
}

fn splice_after_a_reset(session: &mut Session) -> Result<()> {
    let pipe = Pipe::new()?;
    let _ = session.send(Sender, "before", 0);
    session.reset(Sender);
    out(session, &pipe, 100);
    out(session, &pipe, 100);
    out(session, &pipe, 100);
    Ok(())
}

fn splice_after_a_peek(session: &mut Session) -> Result<()> {
    let pipe = Pipe::new()?;
    let _ = session.send(Sender, "peeked at", 0);
    session.receive(Receiver, 100, libc::MSG_PEEK);
    out(session, &pipe, 6);
    session.receive(Receiver, 100, libc::MSG_PEEK);
    out(session, &pipe, 100);
    Ok(())
}

fn splice_with_a_low_water_mark(session: &mut Session) -> Result<()> {
    let pipe = Pipe::new()?;
    let _ = session.set(Receiver, SO_RCVLOWAT, 10);
    let _ = session.send(Sender, "few", 0);
    out(session, &pipe, 100);
    let _ = session.send(Sender, "some more", 0);
    out(session, &pipe, 100);
    Ok(())
}

/// splice from a pipe into the sender.
fn into(session: &mut Session, pipe: &Pipe, text: &[u8], flags: u32) -> Result<()> {
    nix::unistd::write(&pipe.into, text)?;
    let sender = session.fd(Sender);
    spliced(session, pipe.out.as_raw_fd(), sender, text.len(), flags);
    Ok(())
}

fn splice_into_the_socket(session: &mut Session) -> Result<()> {
    let pipe = Pipe::new()?;
    let _ = session.send(Sender, "sent ", 0);
    into(session, &pipe, b"spliced ", 0)?;
    let _ = session.send(Sender, "sent", 0);
    session.receive(Receiver, 100, 0);
    session.exchange();
    Ok(())
}

fn splice_into_the_socket_with_more_to_come(session: &mut Session) -> Result<()> {
    let pipe = Pipe::new()?;
    into(session, &pipe, b"head ", SPLICE_F_MORE)?;
    session.poll(Receiver, libc::POLLIN);
    into(session, &pipe, b"tail", 0)?;
    session.wait(Receiver, libc::POLLIN);
    session.receive(Receiver, 100, 0);
    Ok(())
}

/// The receiver's bytes go back where they came from, without ever entering the program.
fn splice_through_to_the_own_peer(session: &mut Session) -> Result<()> {
    let pipe = Pipe::new()?;
    for _ in 0..3 {
        session.write(Sender, 300);
        let receiver = session.fd(Receiver);
        let n = spliced(session, receiver, pipe.into.as_raw_fd(), 300, SPLICE_F_NONBLOCK);
        if n > 0 {
            spliced(session, pipe.out.as_raw_fd(), receiver, n, 0);
        }
        session.receive(Sender, 300, 0);
        session.receive(Receiver, 300, 0);
    }
    Ok(())
}

fn splice_large_both_ways(session: &mut Session) -> Result<()> {
    let pipe = Pipe::new()?;
    for _ in 0..4 {
        let bytes = session.bytes(40_000);
        into(session, &pipe, &bytes, 0)?;
        out(session, &pipe, 40_000);
        session.drain(Receiver);
    }
    Ok(())
}
