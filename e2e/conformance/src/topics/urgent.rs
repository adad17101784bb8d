//! Urgent data: MSG_OOB, SO_OOBINLINE, SIOCATMARK, POLLPRI.

use anyhow::Result;
use libc::{MSG_DONTWAIT, MSG_OOB, MSG_PEEK, POLLIN, POLLPRI, POLLRDBAND};

use crate::Who::{Receiver, Sender};
use crate::events::{EVERYTHING, Watch};
use crate::options::{FIONREAD, SIOCATMARK, SO_OOBINLINE};
use crate::{behaviours, Session};

behaviours! {
    "tcp(7) MSG_OOB":
        urgent_byte_alone,
        urgent_byte_between_others,
        urgent_byte_after_waiting_bytes,
        urgent_byte_at_the_end_of_a_message,
        urgent_byte_inline,
        urgent_byte_turned_inline_while_it_waits,
        urgent_byte_peeked,
        urgent_byte_never_read,
        urgent_byte_of_nothing,
        urgent_bytes_one_after_the_other,
        urgent_byte_before_the_end,
        urgent_byte_counts,
        urgent_byte_back_and_forth;
    "epoll(7) EPOLLPRI":
        urgent_byte_by_epoll,
        urgent_byte_by_poll_of_bands,
}

fn urgent_byte_alone(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "!", MSG_OOB);
    session.poll(Receiver, POLLIN | POLLPRI);
    session.ask(Receiver, SIOCATMARK);
    session.receive(Receiver, 10, MSG_OOB);
    session.receive(Receiver, 10, MSG_OOB);
    session.receive(Receiver, 10, 0);
    session.exchange();
    Ok(())
}

fn urgent_byte_between_others(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "before", 0);
    let _ = session.send(Sender, "!", MSG_OOB);
    let _ = session.send(Sender, "after", 0);
    session.poll(Receiver, POLLIN | POLLPRI);
    session.receive(Receiver, 100, 0);
    session.ask(Receiver, SIOCATMARK);
    session.receive(Receiver, 10, MSG_OOB);
    session.receive(Receiver, 100, 0);
    session.ask(Receiver, SIOCATMARK);
    session.exchange();
    Ok(())
}

fn urgent_byte_after_waiting_bytes(session: &mut Session) -> Result<()> {
    session.write(Sender, 5000);
    session.receive(Receiver, 1000, 0);
    let _ = session.send(Sender, "!", MSG_OOB);
    session.receive(Receiver, 1, MSG_OOB);
    session.receive(Receiver, 10_000, 0);
    session.receive(Receiver, 10_000, 0);
    Ok(())
}

fn urgent_byte_at_the_end_of_a_message(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "message!", MSG_OOB);
    session.receive(Receiver, 100, 0);
    session.receive(Receiver, 100, MSG_OOB);
    let _ = session.send(Sender, "next", 0);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn urgent_byte_inline(session: &mut Session) -> Result<()> {
    let _ = session.set(Receiver, SO_OOBINLINE, 1);
    let _ = session.send(Sender, "before", 0);
    let _ = session.send(Sender, "!", MSG_OOB);
    let _ = session.send(Sender, "after", 0);
    session.poll(Receiver, POLLIN | POLLPRI);
    session.receive(Receiver, 100, 0);
    session.ask(Receiver, SIOCATMARK);
    session.receive(Receiver, 100, MSG_OOB);
    session.receive(Receiver, 100, 0);
    session.poll(Receiver, POLLIN | POLLPRI);
    Ok(())
}

fn urgent_byte_turned_inline_while_it_waits(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "a!", MSG_OOB);
    let _ = session.set(Receiver, SO_OOBINLINE, 1);
    let _ = session.send(Sender, "b", 0);
    session.receive(Receiver, 100, 0);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn urgent_byte_peeked(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "!", MSG_OOB);
    session.receive(Receiver, 10, MSG_OOB | MSG_PEEK);
    session.receive(Receiver, 10, MSG_OOB | MSG_PEEK | MSG_DONTWAIT);
    session.receive(Receiver, 10, MSG_OOB);
    Ok(())
}

fn urgent_byte_never_read(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "a", 0);
    let _ = session.send(Sender, "!", MSG_OOB);
    let _ = session.send(Sender, "b", 0);
    session.receive(Receiver, 100, 0);
    session.receive(Receiver, 100, 0);
    session.receive(Receiver, 100, MSG_OOB);
    session.receive(Receiver, 100, 0);
    session.exchange();
    Ok(())
}

fn urgent_byte_of_nothing(session: &mut Session) -> Result<()> {
    session.receive(Receiver, 1, MSG_OOB);
    let _ = session.send(Sender, "", MSG_OOB);
    let _ = session.send(Sender, "normal", 0);
    session.receive(Receiver, 1, MSG_OOB);
    session.ask(Receiver, SIOCATMARK);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn urgent_bytes_one_after_the_other(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "1", MSG_OOB);
    let _ = session.send(Sender, "2", MSG_OOB);
    session.receive(Receiver, 1, MSG_OOB);
    session.receive(Receiver, 100, 0);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn urgent_byte_before_the_end(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "!", MSG_OOB);
    session.close(Sender);
    session.poll_all(Receiver);
    session.receive(Receiver, 1, MSG_OOB);
    session.receive(Receiver, 100, 0);
    session.poll_all(Receiver);
    Ok(())
}

fn urgent_byte_counts(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "ab", 0);
    let _ = session.send(Sender, "!", MSG_OOB);
    session.ask(Receiver, FIONREAD);
    let _ = session.send(Sender, "cd", 0);
    session.ask(Receiver, FIONREAD);
    session.receive(Receiver, 100, 0);
    session.ask(Receiver, FIONREAD);
    session.receive(Receiver, 100, 0);
    session.ask(Receiver, FIONREAD);
    Ok(())
}

fn urgent_byte_back_and_forth(session: &mut Session) -> Result<()> {
    for _ in 0..3 {
        let _ = session.send(Sender, "?", MSG_OOB);
        session.receive(Receiver, 1, MSG_OOB);
        let _ = session.send(Receiver, "!", MSG_OOB);
        session.receive(Sender, 1, MSG_OOB);
        session.exchange();
    }
    Ok(())
}

fn urgent_byte_by_epoll(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Receiver, EVERYTHING | libc::EPOLLET)?;
    watch.wait(session);
    let _ = session.send(Sender, "!", MSG_OOB);
    watch.wait(session);
    session.receive(Receiver, 1, MSG_OOB);
    watch.look(session);
    let _ = session.send(Sender, "normal", 0);
    watch.wait(session);
    session.receive(Receiver, 100, 0);
    watch.look(session);
    Ok(())
}

fn urgent_byte_by_poll_of_bands(session: &mut Session) -> Result<()> {
    session.poll_all(Receiver);
    let _ = session.send(Sender, "a", 0);
    session.poll_all(Receiver);
    let _ = session.send(Sender, "!", MSG_OOB);
    session.poll(Receiver, POLLRDBAND);
    session.poll(Receiver, POLLPRI);
    session.poll_all(Receiver);
    session.receive(Receiver, 10, 0);
    session.poll_all(Receiver);
    Ok(())
}
