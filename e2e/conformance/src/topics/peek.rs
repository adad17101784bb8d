//! MSG_PEEK and SO_PEEK_OFF.

use anyhow::Result;
use libc::{MSG_PEEK, MSG_TRUNC, MSG_WAITALL};

use crate::Who::{Receiver, Sender};
use crate::options::SO_PEEK_OFF;
use crate::{behaviours, Session};

behaviours! {
    "recv(2) MSG_PEEK":
        peek_leaves_the_bytes,
        peek_sees_several_messages_at_once,
        peek_of_nothing,
        peek_at_the_end,
        peek_of_much,
        peek_of_no_bytes,
        peek_waits_for_all_without_waiting,
        peek_and_truncate,
        peek_into_pieces,
        peek_again_after_more_came;
    "socket(7) SO_PEEK_OFF":
        peek_offset_moves_on,
        peek_offset_set_while_bytes_wait,
        peek_offset_beyond_what_is_there,
}

fn peek_leaves_the_bytes(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "hello world", 0);
    session.receive(Receiver, 5, MSG_PEEK);
    session.receive(Receiver, 100, MSG_PEEK);
    session.receive(Receiver, 100, 0);
    session.receive(Receiver, 100, MSG_PEEK);
    Ok(())
}

fn peek_sees_several_messages_at_once(session: &mut Session) -> Result<()> {
    for text in ["one ", "two ", "three"] {
        let _ = session.send(Sender, text, 0);
    }
    session.receive(Receiver, 100, MSG_PEEK);
    session.receive(Receiver, 6, 0);
    session.receive(Receiver, 100, MSG_PEEK);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn peek_of_nothing(session: &mut Session) -> Result<()> {
    session.receive(Receiver, 10, MSG_PEEK);
    session.exchange();
    session.receive(Receiver, 10, MSG_PEEK);
    Ok(())
}

fn peek_at_the_end(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "last", 0);
    session.shut_down(Sender, libc::SHUT_WR);
    session.receive(Receiver, 10, MSG_PEEK);
    session.receive(Receiver, 10, 0);
    session.receive(Receiver, 10, MSG_PEEK);
    session.receive(Receiver, 10, 0);
    Ok(())
}

fn peek_of_much(session: &mut Session) -> Result<()> {
    for size in [10_000, 1, 20_000] {
        session.write(Sender, size);
    }
    session.receive(Receiver, 40_000, MSG_PEEK);
    session.receive(Receiver, 10_000, 0);
    session.receive(Receiver, 40_000, MSG_PEEK);
    session.receive_all(Receiver, 20_001);
    Ok(())
}

fn peek_of_no_bytes(session: &mut Session) -> Result<()> {
    session.receive(Receiver, 0, MSG_PEEK);
    let _ = session.send(Sender, "some", 0);
    session.receive(Receiver, 0, MSG_PEEK);
    session.receive(Receiver, 10, 0);
    Ok(())
}

fn peek_waits_for_all_without_waiting(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "half", 0);
    session.receive(Receiver, 8, MSG_PEEK | MSG_WAITALL);
    session.receive(Receiver, 8, MSG_PEEK | MSG_WAITALL);
    session.receive(Receiver, 8, 0);
    Ok(())
}

fn peek_and_truncate(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "truncated", 0);
    session.receive(Receiver, 4, MSG_PEEK | MSG_TRUNC);
    session.receive(Receiver, 100, MSG_PEEK | MSG_TRUNC);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn peek_into_pieces(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "abcdef", 0);
    let _ = session.send(Sender, "ghijkl", 0);
    session.receive_message(Receiver, &[1, 2, 0, 5, 10], MSG_PEEK);
    session.receive_message(Receiver, &[3, 3, 3, 3, 3], 0);
    Ok(())
}

fn peek_again_after_more_came(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "first", 0);
    session.receive(Receiver, 100, MSG_PEEK);
    session.receive(Receiver, 2, 0);
    let _ = session.send(Sender, "second", 0);
    session.receive(Receiver, 100, MSG_PEEK);
    session.receive(Receiver, 100, 0);
    session.exchange();
    Ok(())
}

fn peek_offset_moves_on(session: &mut Session) -> Result<()> {
    session.get(Receiver, SO_PEEK_OFF);
    let _ = session.set(Receiver, SO_PEEK_OFF, 0);
    let _ = session.send(Sender, "abcdefgh", 0);
    session.receive(Receiver, 3, MSG_PEEK);
    session.receive(Receiver, 3, MSG_PEEK);
    session.get(Receiver, SO_PEEK_OFF);
    session.receive(Receiver, 2, 0);
    session.get(Receiver, SO_PEEK_OFF);
    session.receive(Receiver, 3, MSG_PEEK);
    let _ = session.set(Receiver, SO_PEEK_OFF, -1);
    session.receive(Receiver, 100, MSG_PEEK);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn peek_offset_set_while_bytes_wait(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "waiting bytes", 0);
    let _ = session.set(Receiver, SO_PEEK_OFF, 8);
    session.receive(Receiver, 100, MSG_PEEK);
    session.get(Receiver, SO_PEEK_OFF);
    let _ = session.send(Sender, " and more", 0);
    session.receive(Receiver, 100, MSG_PEEK);
    session.receive(Receiver, 100, 0);
    session.get(Receiver, SO_PEEK_OFF);
    Ok(())
}

fn peek_offset_beyond_what_is_there(session: &mut Session) -> Result<()> {
    let _ = session.set(Receiver, SO_PEEK_OFF, 100);
    let _ = session.send(Sender, "few", 0);
    session.receive(Receiver, 100, MSG_PEEK);
    session.receive(Receiver, 100, 0);
    session.get(Receiver, SO_PEEK_OFF);
    Ok(())
}
