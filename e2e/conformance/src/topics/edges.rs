//! Calls at the edge: of no bytes, with flags that nobody uses, with addresses that are nobody's memory.

use anyhow::Result;
use libc::{MSG_CONFIRM, MSG_DONTROUTE, MSG_EOR, MSG_ERRQUEUE, MSG_NOSIGNAL, MSG_PEEK, MSG_WAITALL};

use crate::Who::{Receiver, Sender};
use crate::{behaviours, names, sys, Scene};

behaviours! {
    "send(2)":
        send_of_nothing,
        send_with_odd_flags;
    "recv(2)":
        receive_of_nothing,
        receive_of_nothing_at_the_end,
        receive_with_odd_flags,
        receive_one_byte_at_a_time,
        receive_across_messages;
    "send(2) EFAULT":
        send_from_nowhere,
        send_partly_from_nowhere;
    "recv(2) EFAULT":
        receive_to_nowhere,
        receive_partly_to_nowhere,
        receive_to_nowhere_at_the_end;
    "read(2)":
        read_and_write_are_receive_and_send,
        read_after_everything_went_by_both_paths;
}

fn send_of_nothing(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "", 0);
    scene.poll(Receiver, libc::POLLIN);
    scene.receive(Receiver, 10, 0);
    let _ = scene.send(Sender, "something", 0);
    let _ = scene.send(Sender, "", 0);
    scene.receive(Receiver, 100, 0);
    scene.receive(Receiver, 100, 0);
    let nothing = sys::write(scene.fd(Sender), b"");
    scene.tell(Sender, format_args!("write of nothing -> {}", names::answer(nothing)));
    scene.exchange();
    Ok(())
}

fn send_with_odd_flags(scene: &mut Scene) -> Result<()> {
    for flags in [MSG_EOR, MSG_CONFIRM, MSG_DONTROUTE, MSG_WAITALL, MSG_PEEK, MSG_ERRQUEUE, MSG_NOSIGNAL] {
        let _ = scene.send(Sender, "flagged", flags);
        scene.receive_message(Receiver, &[100], 0);
    }
    Ok(())
}

fn receive_of_nothing(scene: &mut Scene) -> Result<()> {
    scene.receive(Receiver, 0, 0);
    let _ = scene.send(Sender, "bytes", 0);
    scene.receive(Receiver, 0, 0);
    scene.receive(Receiver, 10, 0);
    scene.receive(Receiver, 0, 0);
    Ok(())
}

fn receive_of_nothing_at_the_end(scene: &mut Scene) -> Result<()> {
    scene.shut_down(Sender, libc::SHUT_WR);
    scene.receive(Receiver, 0, 0);
    scene.receive(Receiver, 10, 0);
    scene.receive(Receiver, 0, 0);
    scene.shut_down(Receiver, libc::SHUT_RD);
    scene.receive(Receiver, 0, 0);
    Ok(())
}

fn receive_with_odd_flags(scene: &mut Scene) -> Result<()> {
    for flags in [MSG_EOR, MSG_CONFIRM, MSG_DONTROUTE, MSG_NOSIGNAL, libc::MSG_CMSG_CLOEXEC, libc::MSG_TRUNC] {
        let _ = scene.send(Sender, "bytes", 0);
        scene.receive_message(Receiver, &[100], flags);
    }
    scene.exchange();
    Ok(())
}

fn receive_one_byte_at_a_time(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "abc", 0);
    let _ = scene.send(Sender, "def", 0);
    for _ in 0..7 {
        scene.receive(Receiver, 1, 0);
    }
    Ok(())
}

fn receive_across_messages(scene: &mut Scene) -> Result<()> {
    for size in [7, 11, 13, 17, 19] {
        scene.write(Sender, size);
    }
    for _ in 0..5 {
        scene.receive(Receiver, 16, 0);
    }
    Ok(())
}

fn send_from_nowhere(scene: &mut Scene) -> Result<()> {
    for size in [1, 10_000] {
        let answer = sys::send_at(scene.fd(Sender), sys::NOWHERE, size, 0);
        scene.tell(Sender, format_args!("sends {size} from nowhere -> {}", names::answer(answer)));
        scene.settle();
        scene.receive(Receiver, 100, 0);
    }
    scene.exchange();
    Ok(())
}

/// What could be read is sent, or nothing is: whichever TCP does.
fn send_partly_from_nowhere(scene: &mut Scene) -> Result<()> {
    for size in [10, 3000, 60_000] {
        let mut bytes = scene.bytes(size);
        let pieces = [sys::piece(&mut bytes), sys::piece_nowhere(100)];
        let answer = sys::write_vectored(scene.fd(Sender), &pieces);
        scene.tell(Sender, format_args!("writes {size} and 100 from nowhere -> {}", names::answer(answer)));
        scene.settle();
        scene.drain(Receiver);
        scene.exchange();
    }
    Ok(())
}

fn receive_to_nowhere(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "kept", 0);
    for flags in [0, MSG_PEEK, 0] {
        let answer = sys::receive_nowhere(scene.fd(Receiver), sys::NOWHERE, 10, flags);
        scene.tell(Receiver, format_args!("recv to nowhere -> {}", names::answer(answer)));
    }
    scene.receive(Receiver, 10, 0);
    scene.receive(Receiver, 10, 0);
    Ok(())
}

fn receive_partly_to_nowhere(scene: &mut Scene) -> Result<()> {
    for sizes in [[10, 0], [10, 10], [3000, 3000]] {
        for size in sizes {
            scene.write(Sender, size);
        }
        let mut good = vec![b'.'; 4];
        let pieces = [sys::piece(&mut good), sys::piece_nowhere(10_000)];
        let answer = sys::read_vectored(scene.fd(Receiver), &pieces);
        let shown = names::bytes(&good);
        scene.tell(Receiver, format_args!("readv of 4 and then nowhere -> {} {shown}", names::answer(answer)));
        scene.drain(Receiver);
    }
    scene.exchange();
    Ok(())
}

fn receive_to_nowhere_at_the_end(scene: &mut Scene) -> Result<()> {
    let empty = sys::receive_nowhere(scene.fd(Receiver), sys::NOWHERE, 10, 0);
    scene.shut_down(Sender, libc::SHUT_WR);
    let ended = sys::receive_nowhere(scene.fd(Receiver), sys::NOWHERE, 10, 0);
    scene.note(format!("to nowhere: {} before and {} at the end", names::answer(empty), names::answer(ended)));
    Ok(())
}

fn read_and_write_are_receive_and_send(scene: &mut Scene) -> Result<()> {
    let written = sys::write(scene.fd(Sender), b"written");
    scene.settle();
    let mut buffer = [0; 4];
    let first = sys::read(scene.fd(Receiver), &mut buffer);
    let second = sys::read(scene.fd(Receiver), &mut buffer);
    let third = sys::read(scene.fd(Receiver), &mut buffer);
    scene.note(format!("{written:?} {first:?} {second:?} {third:?}"));
    scene.exchange();
    Ok(())
}

/// Larger than the redirected queue may hold, and read in steps: both queues must look like one.
fn read_after_everything_went_by_both_paths(scene: &mut Scene) -> Result<()> {
    scene.write_many(Sender, 70, 11);
    for _ in 0..8 {
        scene.receive(Receiver, 100, 0);
    }
    scene.exchange();
    Ok(())
}
