//! Readiness as poll(2) tells it.

use anyhow::Result;
use libc::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDBAND, POLLRDHUP, POLLRDNORM};

use crate::Who::{Receiver, Sender};
use crate::{behaviours, names, sys, Session};

behaviours! {
    "poll(2)":
        poll_of_a_quiet_connection,
        poll_before_and_after_bytes,
        poll_of_bands_and_priority,
        poll_of_a_half_closed_connection,
        poll_of_nothing_but_errors,
        poll_after_every_kind_of_end,
        poll_wakes_a_waiting_thread,
        poll_wakes_a_waiting_thread_at_the_end,
        poll_for_the_end_is_not_woken_by_bytes,
        poll_of_both_ends_at_once,
        select_sees_the_same;
}

fn poll_of_a_quiet_connection(session: &mut Session) -> Result<()> {
    session.poll_all(Sender);
    session.poll_all(Receiver);
    session.exchange();
    session.poll_all(Sender);
    session.poll_all(Receiver);
    Ok(())
}

fn poll_before_and_after_bytes(session: &mut Session) -> Result<()> {
    for text in ["one", "two"] {
        session.poll_all(Receiver);
        let _ = session.send(Sender, text, 0);
        session.poll_all(Receiver);
        session.receive(Receiver, 1, 0);
        session.poll_all(Receiver);
        session.receive(Receiver, 2, 0);
        session.poll_all(Receiver);
    }
    Ok(())
}

fn poll_of_bands_and_priority(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "bytes", 0);
    for events in [POLLIN, POLLRDNORM, POLLRDBAND, POLLPRI, POLLRDBAND | POLLIN, 0] {
        session.poll(Receiver, events);
    }
    Ok(())
}

fn poll_of_a_half_closed_connection(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "last", 0);
    session.shut_down(Sender, libc::SHUT_WR);
    for events in [POLLRDHUP, POLLHUP, POLLIN, POLLOUT, POLLERR, 0] {
        session.poll(Receiver, events);
    }
    session.receive(Receiver, 10, 0);
    session.poll_all(Receiver);
    session.poll_all(Sender);
    Ok(())
}

fn poll_of_nothing_but_errors(session: &mut Session) -> Result<()> {
    session.poll(Receiver, 0);
    let _ = session.send(Sender, "bytes", 0);
    session.poll(Receiver, 0);
    session.reset(Sender);
    session.poll(Receiver, 0);
    session.receive(Receiver, 10, 0);
    session.poll(Receiver, 0);
    Ok(())
}

fn poll_after_every_kind_of_end(session: &mut Session) -> Result<()> {
    session.shut_down(Receiver, libc::SHUT_RD);
    session.poll_all(Receiver);
    session.shut_down(Receiver, libc::SHUT_WR);
    session.poll_all(Receiver);
    session.poll_all(Sender);
    session.shut_down(Sender, libc::SHUT_WR);
    session.poll_all(Receiver);
    session.poll_all(Sender);
    Ok(())
}

/// A poll(2) of a thread, as a sentence.
fn polling(session: &Session, events: i16) -> impl FnOnce() -> String + Send + 'static {
    let fd = session.fd(Receiver);
    move || names::answer(sys::poll(fd, events, 2000).map(|seen| names::events(seen.into())))
}

fn poll_wakes_a_waiting_thread(session: &mut Session) -> Result<()> {
    for text in ["one", "two"] {
        let call = polling(session, POLLIN | POLLRDHUP);
        session.meanwhile("poll", call, |session, _| {
            let _ = session.send(Sender, text, 0);
        });
        session.receive(Receiver, 10, 0);
    }
    Ok(())
}

fn poll_wakes_a_waiting_thread_at_the_end(session: &mut Session) -> Result<()> {
    let call = polling(session, POLLIN);
    session.meanwhile("poll", call, |session, _| session.close(Sender));
    session.receive(Receiver, 10, 0);
    Ok(())
}

fn poll_for_the_end_is_not_woken_by_bytes(session: &mut Session) -> Result<()> {
    let call = polling(session, POLLRDHUP);
    session.meanwhile("poll", call, |session, _| {
        let _ = session.send(Sender, "bytes", 0);
        session.receive(Receiver, 10, 0);
        session.shut_down(Sender, libc::SHUT_WR);
    });
    Ok(())
}

fn poll_of_both_ends_at_once(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "there", 0);
    let mut entries =
        [Sender, Receiver].map(|who| libc::pollfd { fd: session.fd(who), events: POLLIN | POLLOUT, revents: 0 });
    let answer = sys::poll_many(&mut entries, 0);
    let seen = entries.map(|entry| names::events(entry.revents.into()));
    session.note(format!("poll of both -> {} {seen:?}", names::answer(answer)));
    session.receive(Receiver, 10, 0);
    Ok(())
}

fn select_sees_the_same(session: &mut Session) -> Result<()> {
    let select = |session: &mut Session| {
        let seen = sys::select(session.fd(Receiver));
        session.note(format!("select (readable, writable, exceptional) -> {seen:?}"));
    };
    select(session);
    let _ = session.send(Sender, "bytes", 0);
    select(session);
    session.receive(Receiver, 10, 0);
    select(session);
    let _ = session.send(Sender, "!", libc::MSG_OOB);
    select(session);
    session.receive(Receiver, 10, libc::MSG_OOB);
    session.shut_down(Sender, libc::SHUT_WR);
    select(session);
    Ok(())
}
