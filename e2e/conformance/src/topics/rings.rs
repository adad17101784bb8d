//! io_uring(7): the kernel itself waits, receives and sends in the program's name.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::Who::{self, Receiver, Sender};
use crate::ring::{Operation, Ring};
use crate::{behaviours, names, Session};

behaviours! {
    "io_uring(7) IORING_OP_RECV":
        ring_receives_what_waits,
        ring_receive_waits_for_bytes,
        ring_receive_without_blocking,
        ring_receive_waits_for_all,
        ring_receive_ends_with_the_stream,
        ring_receive_ends_with_a_reset;
    "io_uring(7) IORING_OP_SEND":
        ring_sends;
    "io_uring(7) IORING_OP_SEND_ZC":
        ring_sends_without_copying;
    "io_uring(7) IORING_OP_POLL_ADD":
        ring_polls_for_bytes,
        ring_polls_for_the_end;
}

const LIMIT: Duration = Duration::from_millis(1500);

fn submit(session: &mut Session, ring: &mut Ring, who: Who, operation: Operation, buffer: &mut [u8], flags: i32) {
    let answer = ring.submit(operation, session.fd(who), buffer, flags);
    session.tell(who, format_args!("submits {} -> {}", operation as u8, names::answer(answer)));
    session.settle();
}

/// The next completion; of `buffer` what it brought.
fn completes(session: &mut Session, ring: &mut Ring, buffer: &[u8]) {
    let Some(completion) = ring.wait(LIMIT) else {
        session.note("no completion: hung");
        // The kernel must not write to the buffer any more when this behaviour has ended.
        for who in Who::BOTH {
            session.shut_down(who, libc::SHUT_RDWR);
        }
        let _ = ring.wait(LIMIT);
        return;
    };
    let size = usize::try_from(completion.result()).unwrap_or(0).min(buffer.len());
    session.note(format!(
        "completion of {}: {} flags {} {}",
        completion.user_data(),
        completion.result(),
        completion.flags(),
        names::bytes(&buffer[..size])
    ));
}

fn ring_receives_what_waits(session: &mut Session) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    let mut buffer = [0; 100];
    let _ = session.send(Sender, "waits", 0);
    let _ = session.send(Sender, " too", 0);
    submit(session, &mut ring, Receiver, Operation::Receive, &mut buffer, 0);
    completes(session, &mut ring, &buffer);
    session.exchange();
    Ok(())
}

fn ring_receive_waits_for_bytes(session: &mut Session) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    let mut buffer = [0; 100];
    session.set_blocking(Receiver, true);
    for text in ["one", "two"] {
        submit(session, &mut ring, Receiver, Operation::Receive, &mut buffer, 0);
        let _ = session.send(Sender, text, 0);
        completes(session, &mut ring, &buffer);
    }
    session.exchange();
    Ok(())
}

fn ring_receive_without_blocking(session: &mut Session) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    let mut buffer = [0; 100];
    submit(session, &mut ring, Receiver, Operation::Receive, &mut buffer, 0);
    let _ = session.send(Sender, "waited for", 0);
    completes(session, &mut ring, &buffer);
    session.exchange();
    Ok(())
}

fn ring_receive_waits_for_all(session: &mut Session) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    let mut buffer = [0; 10];
    session.set_blocking(Receiver, true);
    submit(session, &mut ring, Receiver, Operation::Receive, &mut buffer, libc::MSG_WAITALL);
    let _ = session.send(Sender, "first", 0);
    let _ = session.send(Sender, "second", 0);
    completes(session, &mut ring, &buffer);
    session.drain(Receiver);
    Ok(())
}

fn ring_receive_ends_with_the_stream(session: &mut Session) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    let mut buffer = [0; 100];
    session.set_blocking(Receiver, true);
    submit(session, &mut ring, Receiver, Operation::Receive, &mut buffer, 0);
    session.shut_down(Sender, libc::SHUT_WR);
    completes(session, &mut ring, &buffer);
    submit(session, &mut ring, Receiver, Operation::Receive, &mut buffer, 0);
    completes(session, &mut ring, &buffer);
    Ok(())
}

fn ring_receive_ends_with_a_reset(session: &mut Session) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    let mut buffer = [0; 100];
    session.set_blocking(Receiver, true);
    submit(session, &mut ring, Receiver, Operation::Receive, &mut buffer, 0);
    session.reset(Sender);
    completes(session, &mut ring, &buffer);
    Ok(())
}

fn ring_sends(session: &mut Session) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    for size in [10, 9000] {
        let mut bytes = session.bytes(size);
        submit(session, &mut ring, Sender, Operation::Send, &mut bytes, 0);
        completes(session, &mut ring, &[]);
        session.receive_all(Receiver, size);
    }
    session.exchange();
    Ok(())
}

/// Two completions: the call, and that the memory is free again.
fn ring_sends_without_copying(session: &mut Session) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    for size in [10, 9000] {
        let mut bytes = session.bytes(size);
        submit(session, &mut ring, Sender, Operation::SendZeroCopy, &mut bytes, 0);
        completes(session, &mut ring, &[]);
        session.receive_all(Receiver, size);
        completes(session, &mut ring, &[]);
        session.exchange();
    }
    Ok(())
}

fn ring_polls_for_bytes(session: &mut Session) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    for text in ["one", "two"] {
        submit(session, &mut ring, Receiver, Operation::PollAdd, &mut [], libc::POLLIN.into());
        let _ = session.send(Sender, text, 0);
        completes(session, &mut ring, &[]);
        session.receive(Receiver, 100, 0);
    }
    session.exchange();
    Ok(())
}

fn ring_polls_for_the_end(session: &mut Session) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    submit(session, &mut ring, Receiver, Operation::PollAdd, &mut [], libc::POLLRDHUP.into());
    let _ = session.send(Sender, "bytes", 0);
    session.receive(Receiver, 100, 0);
    session.close(Sender);
    completes(session, &mut ring, &[]);
    Ok(())
}
