//! io_uring(7): the kernel itself waits, receives and sends in the program's name.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::behaviours;
use crate::Scene;
use crate::Who;
use crate::Who::Receiver;
use crate::Who::Sender;
use crate::names;
use crate::ring::POLL_ADD;
use crate::ring::RECEIVE;
use crate::ring::Ring;
use crate::ring::SEND;
use crate::ring::SEND_ZERO_COPY;
use crate::ring::Submission;

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

fn submit(scene: &mut Scene, ring: &Ring, who: Who, operation: u8, buffer: &mut [u8], flags: i32) {
    let answer = ring.submit(Submission {
        operation,
        fd: scene.fd(who),
        address: buffer.as_mut_ptr() as u64,
        size: if operation == POLL_ADD { 0 } else { buffer.len() as u32 },
        flags_of_operation: flags as u32,
        user: u64::from(operation),
        ..Submission::default()
    });
    scene.tell(who, format_args!("submits {operation} -> {}", names::answer(answer)));
    scene.settle();
}

/// The next completion; of `buffer` what it brought.
fn completes(scene: &mut Scene, ring: &Ring, buffer: &[u8]) {
    let Some(completion) = ring.wait(LIMIT) else {
        scene.note("no completion: hung");
        // The kernel must not write to the buffer any more when this behaviour has ended.
        for who in Who::BOTH {
            scene.shut_down(who, libc::SHUT_RDWR);
        }
        let _ = ring.wait(LIMIT);
        return;
    };
    let size = usize::try_from(completion.result).unwrap_or(0).min(buffer.len());
    scene.note(format!(
        "completion of {}: {} flags {} {}",
        completion.user,
        completion.result,
        completion.flags,
        names::bytes(&buffer[..size])
    ));
}

fn ring_receives_what_waits(scene: &mut Scene) -> Result<()> {
    let ring = Ring::new().context("io_uring_setup")?;
    let mut buffer = [0; 100];
    let _ = scene.send(Sender, "waits", 0);
    let _ = scene.send(Sender, " too", 0);
    submit(scene, &ring, Receiver, RECEIVE, &mut buffer, 0);
    completes(scene, &ring, &buffer);
    scene.exchange();
    Ok(())
}

fn ring_receive_waits_for_bytes(scene: &mut Scene) -> Result<()> {
    let ring = Ring::new().context("io_uring_setup")?;
    let mut buffer = [0; 100];
    scene.set_blocking(Receiver, true);
    for text in ["one", "two"] {
        submit(scene, &ring, Receiver, RECEIVE, &mut buffer, 0);
        let _ = scene.send(Sender, text, 0);
        completes(scene, &ring, &buffer);
    }
    scene.exchange();
    Ok(())
}

fn ring_receive_without_blocking(scene: &mut Scene) -> Result<()> {
    let ring = Ring::new().context("io_uring_setup")?;
    let mut buffer = [0; 100];
    submit(scene, &ring, Receiver, RECEIVE, &mut buffer, 0);
    let _ = scene.send(Sender, "waited for", 0);
    completes(scene, &ring, &buffer);
    scene.exchange();
    Ok(())
}

fn ring_receive_waits_for_all(scene: &mut Scene) -> Result<()> {
    let ring = Ring::new().context("io_uring_setup")?;
    let mut buffer = [0; 10];
    scene.set_blocking(Receiver, true);
    submit(scene, &ring, Receiver, RECEIVE, &mut buffer, libc::MSG_WAITALL);
    let _ = scene.send(Sender, "first", 0);
    let _ = scene.send(Sender, "second", 0);
    completes(scene, &ring, &buffer);
    scene.drain(Receiver);
    Ok(())
}

fn ring_receive_ends_with_the_stream(scene: &mut Scene) -> Result<()> {
    let ring = Ring::new().context("io_uring_setup")?;
    let mut buffer = [0; 100];
    scene.set_blocking(Receiver, true);
    submit(scene, &ring, Receiver, RECEIVE, &mut buffer, 0);
    scene.shut_down(Sender, libc::SHUT_WR);
    completes(scene, &ring, &buffer);
    submit(scene, &ring, Receiver, RECEIVE, &mut buffer, 0);
    completes(scene, &ring, &buffer);
    Ok(())
}

fn ring_receive_ends_with_a_reset(scene: &mut Scene) -> Result<()> {
    let ring = Ring::new().context("io_uring_setup")?;
    let mut buffer = [0; 100];
    scene.set_blocking(Receiver, true);
    submit(scene, &ring, Receiver, RECEIVE, &mut buffer, 0);
    scene.reset(Sender);
    completes(scene, &ring, &buffer);
    Ok(())
}

fn ring_sends(scene: &mut Scene) -> Result<()> {
    let ring = Ring::new().context("io_uring_setup")?;
    for size in [10, 9000] {
        let mut bytes = scene.bytes(size);
        submit(scene, &ring, Sender, SEND, &mut bytes, 0);
        completes(scene, &ring, &[]);
        scene.receive_all(Receiver, size);
    }
    scene.exchange();
    Ok(())
}

/// Two completions: the call, and that the memory is free again.
fn ring_sends_without_copying(scene: &mut Scene) -> Result<()> {
    let ring = Ring::new().context("io_uring_setup")?;
    for size in [10, 9000] {
        let mut bytes = scene.bytes(size);
        submit(scene, &ring, Sender, SEND_ZERO_COPY, &mut bytes, 0);
        completes(scene, &ring, &[]);
        scene.receive_all(Receiver, size);
        completes(scene, &ring, &[]);
        scene.exchange();
    }
    Ok(())
}

fn ring_polls_for_bytes(scene: &mut Scene) -> Result<()> {
    let ring = Ring::new().context("io_uring_setup")?;
    for text in ["one", "two"] {
        submit(scene, &ring, Receiver, POLL_ADD, &mut [], libc::POLLIN.into());
        let _ = scene.send(Sender, text, 0);
        completes(scene, &ring, &[]);
        scene.receive(Receiver, 100, 0);
    }
    scene.exchange();
    Ok(())
}

fn ring_polls_for_the_end(scene: &mut Scene) -> Result<()> {
    let ring = Ring::new().context("io_uring_setup")?;
    submit(scene, &ring, Receiver, POLL_ADD, &mut [], libc::POLLRDHUP.into());
    let _ = scene.send(Sender, "bytes", 0);
    scene.receive(Receiver, 100, 0);
    scene.close(Sender);
    completes(scene, &ring, &[]);
    Ok(())
}
