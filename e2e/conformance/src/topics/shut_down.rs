//! shutdown(2), in every order.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use libc::{MSG_NOSIGNAL, MSG_OOB, MSG_PEEK, SHUT_RD, SHUT_RDWR, SHUT_WR};
use nix::sys::signal::{sigaction, SaFlags, SigAction, SigHandler, SigSet, Signal};

use crate::Who::{self, Receiver, Sender};
use crate::{behaviours, Session};
use super::close::aftermath;

behaviours! {
    "shutdown(2)":
        shut_down_writing_then_the_other,
        shut_down_the_other_first,
        shut_down_writing_with_bytes_waiting,
        shut_down_writing_and_go_on_reading,
        shut_down_reading,
        shut_down_reading_with_bytes_waiting,
        shut_down_reading_then_bytes_come,
        shut_down_reading_and_go_on_writing,
        shut_down_both_ways,
        shut_down_both_ways_with_bytes_waiting,
        shut_down_twice,
        shut_down_nonsense,
        shut_down_after_the_end,
        shut_down_at_both_ends_at_once;
    "send(2) EPIPE":
        send_after_shutting_down,
        send_after_the_other_has_read_the_end,
        send_after_both_have_read_the_end,
        send_after_shutting_down_raises_sigpipe,
        send_nothing_after_shutting_down;
}

fn shut_down_writing_then_the_other(session: &mut Session) -> Result<()> {
    session.shut_down(Sender, SHUT_WR);
    session.state(Sender);
    session.state(Receiver);
    session.poll_all(Receiver);
    session.receive(Receiver, 10, 0);
    session.shut_down(Receiver, SHUT_WR);
    session.state(Sender);
    session.state(Receiver);
    session.poll_all(Sender);
    session.poll_all(Receiver);
    session.receive(Sender, 10, 0);
    Ok(())
}

fn shut_down_the_other_first(session: &mut Session) -> Result<()> {
    session.shut_down(Receiver, SHUT_WR);
    let _ = session.send(Sender, "still reads", 0);
    session.receive(Receiver, 100, 0);
    session.receive(Sender, 10, 0);
    session.shut_down(Sender, SHUT_WR);
    session.receive(Receiver, 10, 0);
    session.poll_all(Receiver);
    Ok(())
}

fn shut_down_writing_with_bytes_waiting(session: &mut Session) -> Result<()> {
    for size in [10, 20_000, 30] {
        session.write(Sender, size);
    }
    session.shut_down(Sender, SHUT_WR);
    session.poll_all(Receiver);
    session.receive_all(Receiver, 20_040);
    session.poll_all(Receiver);
    session.receive(Receiver, 10, 0);
    Ok(())
}

fn shut_down_writing_and_go_on_reading(session: &mut Session) -> Result<()> {
    session.shut_down(Sender, SHUT_WR);
    for text in ["one", "two", "three"] {
        let _ = session.send(Receiver, text, 0);
        session.poll_all(Sender);
        session.receive(Sender, 10, 0);
    }
    session.receive(Sender, 10, 0);
    Ok(())
}

fn shut_down_reading(session: &mut Session) -> Result<()> {
    session.shut_down(Receiver, SHUT_RD);
    session.poll_all(Receiver);
    session.receive(Receiver, 10, 0);
    session.receive(Receiver, 10, MSG_PEEK);
    session.receive(Receiver, 10, MSG_OOB);
    session.poll_all(Sender);
    Ok(())
}

fn shut_down_reading_with_bytes_waiting(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "waiting", 0);
    session.shut_down(Receiver, SHUT_RD);
    session.receive(Receiver, 4, 0);
    session.receive(Receiver, 10, 0);
    session.receive(Receiver, 10, 0);
    Ok(())
}

fn shut_down_reading_then_bytes_come(session: &mut Session) -> Result<()> {
    session.shut_down(Receiver, SHUT_RD);
    let _ = session.send(Sender, "after", 0);
    session.poll_all(Receiver);
    session.receive(Receiver, 10, 0);
    session.receive(Receiver, 10, 0);
    let _ = session.send(Sender, "again", 0);
    session.receive(Receiver, 10, 0);
    Ok(())
}

fn shut_down_reading_and_go_on_writing(session: &mut Session) -> Result<()> {
    session.shut_down(Receiver, SHUT_RD);
    let _ = session.send(Receiver, "still writes", 0);
    session.receive(Sender, 100, 0);
    session.shut_down(Receiver, SHUT_WR);
    session.receive(Sender, 100, 0);
    Ok(())
}

fn shut_down_both_ways(session: &mut Session) -> Result<()> {
    session.shut_down(Sender, SHUT_RDWR);
    session.poll_all(Sender);
    session.poll_all(Receiver);
    aftermath(session, Sender);
    session.receive(Receiver, 10, 0);
    Ok(())
}

fn shut_down_both_ways_with_bytes_waiting(session: &mut Session) -> Result<()> {
    let _ = session.send(Receiver, "unread", 0);
    let _ = session.send(Sender, "sent before", 0);
    session.shut_down(Sender, SHUT_RDWR);
    session.receive(Receiver, 100, 0);
    session.receive(Receiver, 100, 0);
    session.receive(Sender, 100, 0);
    session.receive(Sender, 100, 0);
    session.close(Sender);
    session.poll_all(Receiver);
    Ok(())
}

fn shut_down_twice(session: &mut Session) -> Result<()> {
    for how in [SHUT_WR, SHUT_WR, SHUT_RD, SHUT_RDWR] {
        session.shut_down(Sender, how);
    }
    session.receive(Receiver, 10, 0);
    session.shut_down(Receiver, SHUT_RDWR);
    session.shut_down(Receiver, SHUT_RDWR);
    session.shut_down(Sender, SHUT_RDWR);
    Ok(())
}

fn shut_down_nonsense(session: &mut Session) -> Result<()> {
    for how in [3, -1] {
        let answer = crate::sys::shut_down(session.fd(Sender), how);
        session.tell(Sender, format_args!("shuts down {how}: {answer:?}"));
    }
    session.exchange();
    Ok(())
}

fn shut_down_after_the_end(session: &mut Session) -> Result<()> {
    session.reset(Sender);
    session.shut_down(Receiver, SHUT_WR);
    session.receive(Receiver, 10, 0);
    session.shut_down(Receiver, SHUT_RDWR);
    session.receive(Receiver, 10, 0);
    Ok(())
}

fn shut_down_at_both_ends_at_once(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "there", 0);
    let _ = session.send(Receiver, "and back", 0);
    session.shut_down(Sender, SHUT_WR);
    session.shut_down(Receiver, SHUT_WR);
    for who in Who::BOTH {
        session.poll_all(who);
        session.receive(who, 100, 0);
        session.receive(who, 100, 0);
    }
    Ok(())
}

fn send_after_shutting_down(session: &mut Session) -> Result<()> {
    session.shut_down(Sender, SHUT_WR);
    let _ = session.send(Sender, "too late", 0);
    let _ = session.send(Sender, "too late", MSG_NOSIGNAL);
    let _ = session.send(Sender, "!", MSG_OOB | MSG_NOSIGNAL);
    session.poll_all(Sender);
    let _ = session.send(Receiver, "still reads", 0);
    session.receive(Sender, 100, 0);
    Ok(())
}

fn send_after_the_other_has_read_the_end(session: &mut Session) -> Result<()> {
    session.shut_down(Sender, SHUT_WR);
    session.receive(Receiver, 10, 0);
    for _ in 0..2 {
        let _ = session.send(Sender, "too late", MSG_NOSIGNAL);
        session.poll_all(Receiver);
        session.receive(Receiver, 10, 0);
    }
    Ok(())
}

fn send_after_both_have_read_the_end(session: &mut Session) -> Result<()> {
    for who in Who::BOTH {
        session.shut_down(who, SHUT_WR);
        session.receive(who.other(), 10, 0);
    }
    for who in Who::BOTH {
        let _ = session.send(who, "too late", MSG_NOSIGNAL);
        session.receive(who.other(), 10, 0);
    }
    Ok(())
}

static PIPES: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_: i32) {
    PIPES.fetch_add(1, Ordering::Relaxed);
}

fn send_after_shutting_down_raises_sigpipe(session: &mut Session) -> Result<()> {
    session.shut_down(Sender, SHUT_WR);
    PIPES.store(0, Ordering::Relaxed);
    let action = SigAction::new(SigHandler::Handler(count), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler only adds to an atomic number.
    let before = unsafe { sigaction(Signal::SIGPIPE, &action) }?;
    for flags in [MSG_NOSIGNAL, 0, 0] {
        let _ = session.send(Sender, "too late", flags);
        session.note(format!("SIGPIPE came {} times", PIPES.load(Ordering::Relaxed)));
    }
    // SAFETY: what was there before.
    unsafe { sigaction(Signal::SIGPIPE, &before) }?;
    Ok(())
}

fn send_nothing_after_shutting_down(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "", 0);
    session.shut_down(Sender, SHUT_WR);
    let _ = session.send(Sender, "", MSG_NOSIGNAL);
    session.receive(Receiver, 10, 0);
    Ok(())
}
