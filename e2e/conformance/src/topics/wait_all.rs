//! MSG_WAITALL, and blocking receive calls: the descriptor turns blocking after it has been redirected.

use anyhow::Result;
use libc::{MSG_DONTWAIT, MSG_PEEK, MSG_WAITALL};

use crate::Who::{Receiver, Sender};
use crate::{behaviours, names, sys, Session};

behaviours! {
    "recv(2) MSG_WAITALL":
        wait_all_without_blocking,
        wait_all_of_what_is_there,
        wait_all_of_two_messages,
        wait_all_begun_with_bytes_waiting,
        wait_all_ends_with_the_stream,
        wait_all_ends_with_a_reset,
        wait_all_peeks,
        wait_all_in_pieces;
    "recv(2)":
        blocking_receive_takes_what_comes,
        blocking_receive_of_a_large_message,
        blocking_receive_ends_with_the_stream,
        blocking_receive_through_the_own_half_close,
        blocking_receive_that_does_not_wait,
        blocking_receive_while_the_own_queue_empties,
        blocking_turned_on_and_off,
}

/// A receive call of a thread, as a sentence.
pub fn receiving(session: &Session, size: usize, flags: i32) -> impl FnOnce() -> String + Send + 'static {
    let fd = session.fd(Receiver);
    move || {
        let mut buffer = vec![b'.'; size];
        let received = sys::receive(fd, &mut buffer, flags);
        buffer.truncate(received.unwrap_or(0));
        format!("{} {}", names::answer(received), names::bytes(&buffer))
    }
}

fn wait_all_without_blocking(session: &mut Session) -> Result<()> {
    session.receive(Receiver, 10, MSG_WAITALL);
    let _ = session.send(Sender, "half", 0);
    session.receive(Receiver, 10, MSG_WAITALL);
    session.receive(Receiver, 10, MSG_WAITALL);
    Ok(())
}

fn wait_all_of_what_is_there(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "all of ", 0);
    let _ = session.send(Sender, "it", 0);
    session.set_blocking(Receiver, true);
    session.receive(Receiver, 9, MSG_WAITALL);
    session.exchange();
    Ok(())
}

fn wait_all_of_two_messages(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    let call = receiving(session, 10, MSG_WAITALL);
    session.meanwhile("wait for 10", call, |session, _| {
        let _ = session.send(Sender, "first", 0);
        let _ = session.send(Sender, "second", 0);
    });
    session.receive(Receiver, 10, MSG_DONTWAIT);
    Ok(())
}

fn wait_all_begun_with_bytes_waiting(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "first", 0);
    session.set_blocking(Receiver, true);
    let call = receiving(session, 10, MSG_WAITALL);
    session.meanwhile("wait for 10", call, |session, _| {
        let _ = session.send(Sender, "second", 0);
    });
    session.receive(Receiver, 10, MSG_DONTWAIT);
    Ok(())
}

fn wait_all_ends_with_the_stream(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    let call = receiving(session, 10, MSG_WAITALL);
    session.meanwhile("wait for 10", call, |session, _| {
        let _ = session.send(Sender, "first", 0);
        session.shut_down(Sender, libc::SHUT_WR);
    });
    session.receive(Receiver, 10, MSG_WAITALL);
    Ok(())
}

fn wait_all_ends_with_a_reset(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    let call = receiving(session, 10, MSG_WAITALL);
    session.meanwhile("wait for 10", call, |session, _| {
        let _ = session.send(Sender, "first", 0);
        session.reset(Sender);
    });
    session.receive(Receiver, 10, MSG_DONTWAIT);
    session.receive(Receiver, 10, MSG_DONTWAIT);
    Ok(())
}

fn wait_all_peeks(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    let _ = session.send(Sender, "first", 0);
    let call = receiving(session, 10, MSG_WAITALL | MSG_PEEK);
    session.meanwhile("peek at 10", call, |session, _| {
        let _ = session.send(Sender, "second", 0);
    });
    session.receive(Receiver, 20, MSG_DONTWAIT);
    Ok(())
}

fn wait_all_in_pieces(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    let fd = session.fd(Receiver);
    let call = move || {
        let mut pieces = [vec![b'.'; 4], vec![b'.'; 8]];
        let mut entries: Vec<_> = pieces.iter_mut().map(|piece| sys::piece(piece)).collect();
        let (received, _) = sys::receive_message(fd, &mut entries, 0, MSG_WAITALL);
        format!("{} {}", names::answer(received), names::bytes(&pieces.concat()))
    };
    session.meanwhile("wait for 4 and 8", call, |session, _| {
        for text in ["ab", "cdefg", "hijkl", "mnop"] {
            let _ = session.send(Sender, text, 0);
        }
    });
    session.receive(Receiver, 20, MSG_DONTWAIT);
    Ok(())
}

fn blocking_receive_takes_what_comes(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    for text in ["one", "two"] {
        let call = receiving(session, 10, 0);
        session.meanwhile("recv", call, |session, _| {
            let _ = session.send(Sender, text, 0);
        });
    }
    session.exchange();
    Ok(())
}

fn blocking_receive_of_a_large_message(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    let call = receiving(session, 50_000, MSG_WAITALL);
    session.meanwhile("recv", call, |session, _| {
        for _ in 0..5 {
            session.write(Sender, 10_000);
        }
    });
    session.exchange();
    Ok(())
}

fn blocking_receive_ends_with_the_stream(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    let call = receiving(session, 10, 0);
    session.meanwhile("recv", call, |session, _| session.shut_down(Sender, libc::SHUT_WR));
    session.receive(Receiver, 10, 0);
    Ok(())
}

/// The acknowledgement of the FIN wakes the reader with nothing to read.
fn blocking_receive_through_the_own_half_close(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    let call = receiving(session, 10, 0);
    session.meanwhile("recv", call, |session, _| {
        session.shut_down(Receiver, libc::SHUT_WR);
        session.receive(Sender, 10, 0);
        let _ = session.send(Sender, "answer", 0);
    });
    Ok(())
}

fn blocking_receive_that_does_not_wait(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    session.receive(Receiver, 10, MSG_DONTWAIT);
    let _ = session.send(Sender, "bytes", 0);
    session.receive(Receiver, 10, MSG_DONTWAIT);
    session.receive(Receiver, 10, MSG_DONTWAIT);
    Ok(())
}

/// Room in the send buffer wakes everybody who waits on the socket, the reader too.
fn blocking_receive_while_the_own_queue_empties(session: &mut Session) -> Result<()> {
    let start = session.made();
    let filled = session.fill(Receiver, 60_000);
    session.set_blocking(Receiver, true);
    let call = receiving(session, 10, 0);
    session.meanwhile("recv", call, |session, _| {
        session.receive_filled(Sender, start, filled);
        let _ = session.send(Sender, "at last", 0);
    });
    Ok(())
}

fn blocking_turned_on_and_off(session: &mut Session) -> Result<()> {
    for _ in 0..2 {
        session.set_blocking(Receiver, true);
        let call = receiving(session, 10, 0);
        session.meanwhile("recv", call, |session, _| {
            let _ = session.send(Sender, "wakes", 0);
        });
        session.set_blocking(Receiver, false);
        session.receive(Receiver, 10, 0);
        session.exchange();
    }
    Ok(())
}
