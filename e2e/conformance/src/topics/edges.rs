//! Calls at the edge: of no bytes, with flags that nobody uses, with addresses that are nobody's memory.

use anyhow::Result;
use libc::{MSG_CONFIRM, MSG_DONTROUTE, MSG_EOR, MSG_ERRQUEUE, MSG_NOSIGNAL, MSG_PEEK, MSG_WAITALL};

use crate::Who::{Receiver, Sender};
use crate::{behaviours, names, sys, Session};

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

fn send_of_nothing(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "", 0);
    session.poll(Receiver, libc::POLLIN);
    session.receive(Receiver, 10, 0);
    let _ = session.send(Sender, "something", 0);
    let _ = session.send(Sender, "", 0);
    session.receive(Receiver, 100, 0);
    session.receive(Receiver, 100, 0);
    let nothing = sys::write(session.fd(Sender), b"");
    session.tell(Sender, format_args!("write of nothing -> {}", names::answer(nothing)));
    session.exchange();
    Ok(())
}

fn send_with_odd_flags(session: &mut Session) -> Result<()> {
    for flags in [MSG_EOR, MSG_CONFIRM, MSG_DONTROUTE, MSG_WAITALL, MSG_PEEK, MSG_ERRQUEUE, MSG_NOSIGNAL] {
        let _ = session.send(Sender, "flagged", flags);
        session.receive_message(Receiver, &[100], 0);
    }
    Ok(())
}

fn receive_of_nothing(session: &mut Session) -> Result<()> {
    session.receive(Receiver, 0, 0);
    let _ = session.send(Sender, "bytes", 0);
    session.receive(Receiver, 0, 0);
    session.receive(Receiver, 10, 0);
    session.receive(Receiver, 0, 0);
    Ok(())
}

fn receive_of_nothing_at_the_end(session: &mut Session) -> Result<()> {
    session.shut_down(Sender, libc::SHUT_WR);
    session.receive(Receiver, 0, 0);
    session.receive(Receiver, 10, 0);
    session.receive(Receiver, 0, 0);
    session.shut_down(Receiver, libc::SHUT_RD);
    session.receive(Receiver, 0, 0);
    Ok(())
}

fn receive_with_odd_flags(session: &mut Session) -> Result<()> {
    for flags in [MSG_EOR, MSG_CONFIRM, MSG_DONTROUTE, MSG_NOSIGNAL, libc::MSG_CMSG_CLOEXEC, libc::MSG_TRUNC] {
        let _ = session.send(Sender, "bytes", 0);
        session.receive_message(Receiver, &[100], flags);
    }
    session.exchange();
    Ok(())
}

fn receive_one_byte_at_a_time(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "abc", 0);
    let _ = session.send(Sender, "def", 0);
    for _ in 0..7 {
        session.receive(Receiver, 1, 0);
    }
    Ok(())
}

fn receive_across_messages(session: &mut Session) -> Result<()> {
    for size in [7, 11, 13, 17, 19] {
        session.write(Sender, size);
    }
    for _ in 0..5 {
        session.receive(Receiver, 16, 0);
    }
    Ok(())
}

fn send_from_nowhere(session: &mut Session) -> Result<()> {
    for size in [1, 10_000] {
        let answer = sys::send_at(session.fd(Sender), sys::NOWHERE, size, 0);
        session.tell(Sender, format_args!("sends {size} from nowhere -> {}", names::answer(answer)));
        session.settle();
        session.receive(Receiver, 100, 0);
    }
    session.exchange();
    Ok(())
}

/// What could be read is sent, or nothing is: whichever TCP does.
fn send_partly_from_nowhere(session: &mut Session) -> Result<()> {
    for size in [10, 3000, 60_000] {
        let mut bytes = session.bytes(size);
        let pieces = [sys::piece(&mut bytes), sys::piece_nowhere(100)];
        let answer = sys::write_vectored(session.fd(Sender), &pieces);
        session.tell(Sender, format_args!("writes {size} and 100 from nowhere -> {}", names::answer(answer)));
        session.settle();
        session.drain(Receiver);
        session.exchange();
    }
    Ok(())
}

fn receive_to_nowhere(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "kept", 0);
    for flags in [0, MSG_PEEK, 0] {
        let answer = sys::receive_nowhere(session.fd(Receiver), sys::NOWHERE, 10, flags);
        session.tell(Receiver, format_args!("recv to nowhere -> {}", names::answer(answer)));
    }
    session.receive(Receiver, 10, 0);
    session.receive(Receiver, 10, 0);
    Ok(())
}

fn receive_partly_to_nowhere(session: &mut Session) -> Result<()> {
    for sizes in [[10, 0], [10, 10], [3000, 3000]] {
        for size in sizes {
            session.write(Sender, size);
        }
        let mut good = vec![b'.'; 4];
        let pieces = [sys::piece(&mut good), sys::piece_nowhere(10_000)];
        let answer = sys::read_vectored(session.fd(Receiver), &pieces);
        let shown = names::bytes(&good);
        session.tell(Receiver, format_args!("readv of 4 and then nowhere -> {} {shown}", names::answer(answer)));
        session.drain(Receiver);
    }
    session.exchange();
    Ok(())
}

fn receive_to_nowhere_at_the_end(session: &mut Session) -> Result<()> {
    let empty = sys::receive_nowhere(session.fd(Receiver), sys::NOWHERE, 10, 0);
    session.shut_down(Sender, libc::SHUT_WR);
    let ended = sys::receive_nowhere(session.fd(Receiver), sys::NOWHERE, 10, 0);
    session.note(format!("to nowhere: {} before and {} at the end", names::answer(empty), names::answer(ended)));
    Ok(())
}

fn read_and_write_are_receive_and_send(session: &mut Session) -> Result<()> {
    let written = sys::write(session.fd(Sender), b"written");
    session.settle();
    let mut buffer = [0; 4];
    let first = sys::read(session.fd(Receiver), &mut buffer);
    let second = sys::read(session.fd(Receiver), &mut buffer);
    let third = sys::read(session.fd(Receiver), &mut buffer);
    session.note(format!("{written:?} {first:?} {second:?} {third:?}"));
    session.exchange();
    Ok(())
}

/// Larger than the redirected queue may hold, and read in steps: both queues must look like one.
fn read_after_everything_went_by_both_paths(session: &mut Session) -> Result<()> {
    session.write_many(Sender, 70, 11);
    for _ in 0..8 {
        session.receive(Receiver, 100, 0);
    }
    session.exchange();
    Ok(())
}
