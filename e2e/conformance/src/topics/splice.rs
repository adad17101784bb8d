//! splice(2) from and to a socket, also after it was read with recv.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use anyhow::{Context, Result};
use libc::{SPLICE_F_MORE, SPLICE_F_NONBLOCK};

use crate::Who::{Receiver, Sender};
use crate::options::{FIONREAD, SO_RCVLOWAT};
use crate::scene::LIMIT;
use crate::{behaviours, names, sys, Scene};

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
    fn tell(&self, scene: &mut Scene) {
        let mut buffer = vec![0; 100_000];
        let read = sys::read(self.out.as_raw_fd(), &mut buffer);
        buffer.truncate(read.unwrap_or(0));
        scene.note(format!("the pipe holds {} {}", names::answer(read), names::bytes(&buffer)));
    }
}

fn spliced(scene: &mut Scene, from: RawFd, to: RawFd, size: usize, flags: u32) -> usize {
    let answer = sys::splice(from, to, size, flags);
    scene.note(format!("splice of {size} -> {}", names::answer(answer)));
    scene.settle();
    answer.unwrap_or(0)
}

/// splice from the receiver into a pipe, and what came.
fn out(scene: &mut Scene, pipe: &Pipe, size: usize) {
    let receiver = scene.fd(Receiver);
    if spliced(scene, receiver, pipe.into.as_raw_fd(), size, SPLICE_F_NONBLOCK) > 0 {
        pipe.tell(scene);
    }
}

fn splice_what_waits(scene: &mut Scene) -> Result<()> {
    let pipe = Pipe::new()?;
    let _ = scene.send(Sender, "through the pipe", 0);
    out(scene, &pipe, 100);
    out(scene, &pipe, 100);
    scene.receive(Receiver, 100, 0);
    scene.exchange();
    Ok(())
}

fn splice_a_part_and_receive_the_rest(scene: &mut Scene) -> Result<()> {
    let pipe = Pipe::new()?;
    let _ = scene.send(Sender, "spliced received", 0);
    out(scene, &pipe, 8);
    scene.receive(Receiver, 100, 0);
    let _ = scene.send(Sender, "received spliced", 0);
    scene.receive(Receiver, 9, 0);
    out(scene, &pipe, 100);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn splice_after_receives(scene: &mut Scene) -> Result<()> {
    let pipe = Pipe::new()?;
    for _ in 0..5 {
        scene.exchange();
    }
    for text in ["first", "second", "third"] {
        let _ = scene.send(Sender, text, 0);
        out(scene, &pipe, 100);
    }
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn splice_of_nothing(scene: &mut Scene) -> Result<()> {
    let pipe = Pipe::new()?;
    out(scene, &pipe, 100);
    out(scene, &pipe, 0);
    scene.exchange();
    out(scene, &pipe, 100);
    Ok(())
}

fn splice_at_the_end(scene: &mut Scene) -> Result<()> {
    let pipe = Pipe::new()?;
    let _ = scene.send(Sender, "last", 0);
    scene.shut_down(Sender, libc::SHUT_WR);
    out(scene, &pipe, 2);
    out(scene, &pipe, 100);
    out(scene, &pipe, 100);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn splice_of_several_messages(scene: &mut Scene) -> Result<()> {
    let pipe = Pipe::new()?;
    for size in [10, 2000, 30] {
        scene.write(Sender, size);
    }
    scene.ask(Receiver, FIONREAD);
    out(scene, &pipe, 2040);
    scene.receive(Receiver, 2040, 0);
    Ok(())
}

fn splice_before_the_bytes_come(scene: &mut Scene) -> Result<()> {
    let pipe = Pipe::new()?;
    for text in ["one", "two", "three"] {
        out(scene, &pipe, 100);
        let _ = scene.send(Sender, text, 0);
        scene.wait(Receiver, libc::POLLIN);
        out(scene, &pipe, 100);
    }
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn splice_of_a_blocking_descriptor(scene: &mut Scene) -> Result<()> {
    let pipe = Pipe::new()?;
    scene.set_blocking(Receiver, true);
    let (from, to) = (scene.fd(Receiver), pipe.into.as_raw_fd());
    let call = move || names::answer(sys::splice(from, to, 100, 0));
    scene.meanwhile("splice", call, |scene, _| {
        let _ = scene.send(Sender, "at last", 0);
    });
    pipe.tell(scene);
    Ok(())
}

/// What Go's io.Copy and HAProxy do: they wait for POLLIN, then splice until EAGAIN.
fn splice_when_poll_says_so(scene: &mut Scene) -> Result<()> {
    let pipe = Pipe::new()?;
    for _ in 0..3 {
        scene.write(Sender, 500);
        scene.write(Sender, 500);
        let mut left = 1000;
        let mut empty = 0;
        while left > 0 && empty < 3 {
            let _ = sys::poll(scene.fd(Receiver), libc::POLLIN, LIMIT.as_millis() as i32 / 5);
            match sys::splice(scene.fd(Receiver), pipe.into.as_raw_fd(), left, SPLICE_F_NONBLOCK) {
                Ok(n) if n > 0 => left -= n,
                _ => empty += 1,
            }
        }
        scene.tell(Receiver, format_args!("has spliced all but {left}"));
        pipe.tell(scene);
        scene.receive(Receiver, 1000, 0);
        scene.exchange();
    }
    Ok(())
}

fn splice_after_a_reset(scene: &mut Scene) -> Result<()> {
    let pipe = Pipe::new()?;
    let _ = scene.send(Sender, "before", 0);
    scene.reset(Sender);
    out(scene, &pipe, 100);
    out(scene, &pipe, 100);
    out(scene, &pipe, 100);
    Ok(())
}

fn splice_after_a_peek(scene: &mut Scene) -> Result<()> {
    let pipe = Pipe::new()?;
    let _ = scene.send(Sender, "peeked at", 0);
    scene.receive(Receiver, 100, libc::MSG_PEEK);
    out(scene, &pipe, 6);
    scene.receive(Receiver, 100, libc::MSG_PEEK);
    out(scene, &pipe, 100);
    Ok(())
}

fn splice_with_a_low_water_mark(scene: &mut Scene) -> Result<()> {
    let pipe = Pipe::new()?;
    let _ = scene.set(Receiver, SO_RCVLOWAT, 10);
    let _ = scene.send(Sender, "few", 0);
    out(scene, &pipe, 100);
    let _ = scene.send(Sender, "some more", 0);
    out(scene, &pipe, 100);
    Ok(())
}

/// splice from a pipe into the sender.
fn into(scene: &mut Scene, pipe: &Pipe, text: &[u8], flags: u32) -> Result<()> {
    nix::unistd::write(&pipe.into, text)?;
    let sender = scene.fd(Sender);
    spliced(scene, pipe.out.as_raw_fd(), sender, text.len(), flags);
    Ok(())
}

fn splice_into_the_socket(scene: &mut Scene) -> Result<()> {
    let pipe = Pipe::new()?;
    let _ = scene.send(Sender, "sent ", 0);
    into(scene, &pipe, b"spliced ", 0)?;
    let _ = scene.send(Sender, "sent", 0);
    scene.receive(Receiver, 100, 0);
    scene.exchange();
    Ok(())
}

fn splice_into_the_socket_with_more_to_come(scene: &mut Scene) -> Result<()> {
    let pipe = Pipe::new()?;
    into(scene, &pipe, b"head ", SPLICE_F_MORE)?;
    scene.poll(Receiver, libc::POLLIN);
    into(scene, &pipe, b"tail", 0)?;
    scene.wait(Receiver, libc::POLLIN);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

/// The receiver's bytes go back where they came from, without ever entering the program.
fn splice_through_to_the_own_peer(scene: &mut Scene) -> Result<()> {
    let pipe = Pipe::new()?;
    for _ in 0..3 {
        scene.write(Sender, 300);
        let receiver = scene.fd(Receiver);
        let n = spliced(scene, receiver, pipe.into.as_raw_fd(), 300, SPLICE_F_NONBLOCK);
        if n > 0 {
            spliced(scene, pipe.out.as_raw_fd(), receiver, n, 0);
        }
        scene.receive(Sender, 300, 0);
        scene.receive(Receiver, 300, 0);
    }
    Ok(())
}

fn splice_large_both_ways(scene: &mut Scene) -> Result<()> {
    let pipe = Pipe::new()?;
    for _ in 0..4 {
        let bytes = scene.bytes(40_000);
        into(scene, &pipe, &bytes, 0)?;
        out(scene, &pipe, 40_000);
        scene.drain(Receiver);
    }
    Ok(())
}
