//! MSG_TRUNC, which on a stream throws bytes away.

use anyhow::Result;
use libc::{MSG_TRUNC, MSG_WAITALL};

use crate::Who::{Receiver, Sender};
use crate::{behaviours, names, sys, Session};

behaviours! {
    "tcp(7) MSG_TRUNC":
        truncate_discards_and_writes_nothing,
        truncate_of_several_messages,
        truncate_more_than_there_is,
        truncate_without_a_buffer,
        truncate_at_the_end,
        truncate_then_more,
}

fn truncate_discards_and_writes_nothing(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "discarded kept", 0);
    session.receive(Receiver, 10, MSG_TRUNC);
    session.receive(Receiver, 10, 0);
    Ok(())
}

fn truncate_of_several_messages(session: &mut Session) -> Result<()> {
    for text in ["abc", "def", "ghi"] {
        let _ = session.send(Sender, text, 0);
    }
    session.receive(Receiver, 5, MSG_TRUNC);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn truncate_more_than_there_is(session: &mut Session) -> Result<()> {
    session.receive(Receiver, 10, MSG_TRUNC);
    let _ = session.send(Sender, "few", 0);
    session.receive(Receiver, 100, MSG_TRUNC | MSG_WAITALL);
    session.receive(Receiver, 100, MSG_TRUNC);
    Ok(())
}

/// The way to throw much away without memory for it.
fn truncate_without_a_buffer(session: &mut Session) -> Result<()> {
    session.write(Sender, 30_000);
    let _ = session.send(Sender, "after", 0);
    let discarded = sys::receive_nowhere(session.fd(Receiver), 0, 30_000, MSG_TRUNC);
    session.tell(Receiver, format_args!("discards 30000 without a buffer -> {}", names::answer(discarded)));
    session.receive(Receiver, 10, 0);
    Ok(())
}

fn truncate_at_the_end(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "end", 0);
    session.shut_down(Sender, libc::SHUT_WR);
    session.receive(Receiver, 2, MSG_TRUNC);
    session.receive(Receiver, 10, MSG_TRUNC);
    session.receive(Receiver, 10, MSG_TRUNC);
    Ok(())
}

fn truncate_then_more(session: &mut Session) -> Result<()> {
    for _ in 0..2 {
        let _ = session.send(Sender, "gone", 0);
        session.receive(Receiver, 4, MSG_TRUNC);
        session.exchange();
    }
    Ok(())
}
