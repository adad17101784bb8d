//! io_uring(7): the kernel itself waits, receives and sends in the program's name.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::Who::{self, Receiver, Sender};
use crate::ring::{Operation, Ring};
use crate::{behaviours, names, Scene};

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

fn submit(scene: &mut Scene, ring: &mut Ring, who: Who, operation: Operation, buffer: &mut [u8], flags: i32) {
    let answer = ring.submit(operation, scene.fd(who), buffer, flags);
    scene.tell(who, format_args!("submits {} -> {}", operation as u8, names::answer(answer)));
    scene.settle();
}

/// The next completion; of `buffer` what it brought.
fn completes(scene: &mut Scene, ring: &mut Ring, buffer: &[u8]) {
    let Some(completion) = ring.wait(LIMIT) else {
        scene.note("no completion: hung");
        // The kernel must not write to the buffer any more when this behaviour has ended.
        for who in Who::BOTH {
            scene.shut_down(who, libc::SHUT_RDWR);
        }
        let _ = ring.wait(LIMIT);
        return;
    };
    let size = usize::try_from(completion.result()).unwrap_or(0).min(buffer.len());
    scene.note(format!(
        "completion of {}: {} flags {} {}",
        completion.user_data(),
        completion.result(),
        completion.flags(),
        names::bytes(&buffer[..size])
    ));
}

fn ring_receives_what_waits(scene: &mut Scene) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    let mut buffer = [0; 100];
    let _ = scene.send(Sender, "waits", 0);
    let _ = scene.send(Sender, " too", 0);
    submit(scene, &mut ring, Receiver, Operation::Receive, &mut buffer, 0);
    completes(scene, &mut ring, &buffer);
    scene.exchange();
    Ok(())
}

fn ring_receive_waits_for_bytes(scene: &mut Scene) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    let mut buffer = [0; 100];
    scene.set_blocking(Receiver, true);
    for text in ["one", "two"] {
        submit(scene, &mut ring, Receiver, Operation::Receive, &mut buffer, 0);
        let _ = scene.send(Sender, text, 0);
        completes(scene, &mut ring, &buffer);
    }
    scene.exchange();
    Ok(())
}

fn ring_receive_without_blocking(scene: &mut Scene) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    let mut buffer = [0; 100];
    submit(scene, &mut ring, Receiver, Operation::Receive, &mut buffer, 0);
    let _ = scene.send(Sender, "waited for", 0);
    completes(scene, &mut ring, &buffer);
    scene.exchange();
    Ok(())
}

fn ring_receive_waits_for_all(scene: &mut Scene) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    let mut buffer = [0; 10];
    scene.set_blocking(Receiver, true);
    submit(scene, &mut ring, Receiver, Operation::Receive, &mut buffer, libc::MSG_WAITALL);
    let _ = scene.send(Sender, "first", 0);
    let _ = scene.send(Sender, "second", 0);
    completes(scene, &mut ring, &buffer);
    scene.drain(Receiver);
    Ok(())
}

fn ring_receive_ends_with_the_stream(scene: &mut Scene) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    let mut buffer = [0; 100];
    scene.set_blocking(Receiver, true);
    submit(scene, &mut ring, Receiver, Operation::Receive, &mut buffer, 0);
    scene.shut_down(Sender, libc::SHUT_WR);
    completes(scene, &mut ring, &buffer);
    submit(scene, &mut ring, Receiver, Operation::Receive, &mut buffer, 0);
    completes(scene, &mut ring, &buffer);
    Ok(())
}

fn ring_receive_ends_with_a_reset(scene: &mut Scene) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    let mut buffer = [0; 100];
    scene.set_blocking(Receiver, true);
    submit(scene, &mut ring, Receiver, Operation::Receive, &mut buffer, 0);
    scene.reset(Sender);
    completes(scene, &mut ring, &buffer);
    Ok(())
}

fn ring_sends(scene: &mut Scene) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    for size in [10, 9000] {
        let mut bytes = scene.bytes(size);
        submit(scene, &mut ring, Sender, Operation::Send, &mut bytes, 0);
        completes(scene, &mut ring, &[]);
        scene.receive_all(Receiver, size);
    }
    scene.exchange();
    Ok(())
}

/// Two completions: the call, and that the memory is free again.
fn ring_sends_without_copying(scene: &mut Scene) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    for size in [10, 9000] {
        let mut bytes = scene.bytes(size);
        submit(scene, &mut ring, Sender, Operation::SendZeroCopy, &mut bytes, 0);
        completes(scene, &mut ring, &[]);
        scene.receive_all(Receiver, size);
        completes(scene, &mut ring, &[]);
        scene.exchange();
    }
    Ok(())
}

fn ring_polls_for_bytes(scene: &mut Scene) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    for text in ["one", "two"] {
        submit(scene, &mut ring, Receiver, Operation::PollAdd, &mut [], libc::POLLIN.into());
        let _ = scene.send(Sender, text, 0);
        completes(scene, &mut ring, &[]);
        scene.receive(Receiver, 100, 0);
    }
    scene.exchange();
    Ok(())
}

fn ring_polls_for_the_end(scene: &mut Scene) -> Result<()> {
    let mut ring = Ring::new().context("io_uring_setup")?;
    submit(scene, &mut ring, Receiver, Operation::PollAdd, &mut [], libc::POLLRDHUP.into());
    let _ = scene.send(Sender, "bytes", 0);
    scene.receive(Receiver, 100, 0);
    scene.close(Sender);
    completes(scene, &mut ring, &[]);
    Ok(())
}
