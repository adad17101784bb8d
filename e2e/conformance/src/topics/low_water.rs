//! SO_RCVLOWAT and what wakes a reader that wants much.

use anyhow::Result;
use libc::{MSG_DONTWAIT, POLLIN};

use crate::Who::{Receiver, Sender};
use crate::events::Watch;
use crate::options::{SO_RCVLOWAT, SO_SNDLOWAT, TCP_NOTSENT_LOWAT};
use crate::{behaviours, Session};
use super::wait_all::receiving;

behaviours! {
    "socket(7) SO_RCVLOWAT":
        low_water_keeps_poll_silent,
        low_water_set_while_bytes_wait,
        low_water_lowered_while_bytes_wait,
        low_water_at_the_end,
        low_water_by_epoll,
        low_water_by_edge,
        low_water_of_a_blocking_reader,
        low_water_larger_than_the_buffer,
        low_water_of_both_ends,
        low_water_does_not_hold_a_call_that_does_not_wait;
    "socket(7) SO_SNDLOWAT":
        low_water_of_the_sender_cannot_be_set;
    "tcp(7) TCP_NOTSENT_LOWAT":
        low_water_of_what_is_not_sent;
}

fn low_water_keeps_poll_silent(session: &mut Session) -> Result<()> {
    let _ = session.set(Receiver, SO_RCVLOWAT, 10);
    session.get(Receiver, SO_RCVLOWAT);
    let _ = session.send(Sender, "four", 0);
    session.poll(Receiver, POLLIN);
    let _ = session.send(Sender, "and six", 0);
    session.poll(Receiver, POLLIN);
    session.receive(Receiver, 5, 0);
    session.poll(Receiver, POLLIN);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn low_water_set_while_bytes_wait(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "four", 0);
    session.poll(Receiver, POLLIN);
    let _ = session.set(Receiver, SO_RCVLOWAT, 8);
    session.poll(Receiver, POLLIN);
    let _ = session.send(Sender, "more", 0);
    session.poll(Receiver, POLLIN);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn low_water_lowered_while_bytes_wait(session: &mut Session) -> Result<()> {
    let _ = session.set(Receiver, SO_RCVLOWAT, 100);
    let _ = session.send(Sender, "waiting", 0);
    session.poll(Receiver, POLLIN);
    let _ = session.set(Receiver, SO_RCVLOWAT, 1);
    session.poll(Receiver, POLLIN);
    session.receive(Receiver, 100, 0);
    session.exchange();
    Ok(())
}

fn low_water_at_the_end(session: &mut Session) -> Result<()> {
    let _ = session.set(Receiver, SO_RCVLOWAT, 100);
    let _ = session.send(Sender, "last", 0);
    session.poll(Receiver, POLLIN);
    session.shut_down(Sender, libc::SHUT_WR);
    session.wait(Receiver, POLLIN);
    session.receive(Receiver, 100, 0);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn low_water_by_epoll(session: &mut Session) -> Result<()> {
    let _ = session.set(Receiver, SO_RCVLOWAT, 6);
    let watch = Watch::new(session, Receiver, libc::EPOLLIN)?;
    for _ in 0..3 {
        let _ = session.send(Sender, "abc", 0);
        watch.look(session);
    }
    session.receive(Receiver, 4, 0);
    watch.look(session);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn low_water_by_edge(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Receiver, libc::EPOLLIN | libc::EPOLLET)?;
    let _ = session.set(Receiver, SO_RCVLOWAT, 6);
    for _ in 0..3 {
        let _ = session.send(Sender, "abc", 0);
        watch.look(session);
    }
    session.receive(Receiver, 100, 0);
    watch.look(session);
    Ok(())
}

fn low_water_of_a_blocking_reader(session: &mut Session) -> Result<()> {
    let _ = session.set(Receiver, SO_RCVLOWAT, 8);
    session.set_blocking(Receiver, true);
    let call = receiving(session, 100, 0);
    session.meanwhile("recv", call, |session, _| {
        let _ = session.send(Sender, "four", 0);
        let _ = session.send(Sender, "more", 0);
    });
    session.receive(Receiver, 100, MSG_DONTWAIT);
    Ok(())
}

fn low_water_larger_than_the_buffer(session: &mut Session) -> Result<()> {
    let _ = session.set(Receiver, SO_RCVLOWAT, 100_000_000);
    session.get(Receiver, SO_RCVLOWAT);
    let _ = session.set(Receiver, SO_RCVLOWAT, -1);
    session.get(Receiver, SO_RCVLOWAT);
    let _ = session.set(Receiver, SO_RCVLOWAT, 0);
    session.get(Receiver, SO_RCVLOWAT);
    session.exchange();
    Ok(())
}

fn low_water_of_both_ends(session: &mut Session) -> Result<()> {
    for (from, to) in [(Sender, Receiver), (Receiver, Sender)] {
        let _ = session.set(to, SO_RCVLOWAT, 5);
        let _ = session.send(from, "ab", 0);
        session.poll(to, POLLIN);
        let _ = session.send(from, "cde", 0);
        session.poll(to, POLLIN);
        session.receive(to, 100, 0);
    }
    Ok(())
}

fn low_water_does_not_hold_a_call_that_does_not_wait(session: &mut Session) -> Result<()> {
    let _ = session.set(Receiver, SO_RCVLOWAT, 50);
    let _ = session.send(Sender, "less", 0);
    session.poll(Receiver, POLLIN);
    session.receive(Receiver, 100, MSG_DONTWAIT);
    session.receive(Receiver, 100, MSG_DONTWAIT);
    Ok(())
}

fn low_water_of_the_sender_cannot_be_set(session: &mut Session) -> Result<()> {
    session.get(Sender, SO_SNDLOWAT);
    let _ = session.set(Sender, SO_SNDLOWAT, 1000);
    session.get(Sender, SO_SNDLOWAT);
    session.exchange();
    Ok(())
}

fn low_water_of_what_is_not_sent(session: &mut Session) -> Result<()> {
    let _ = session.set(Sender, TCP_NOTSENT_LOWAT, 1);
    session.get(Sender, TCP_NOTSENT_LOWAT);
    let start = session.made();
    let filled = session.fill(Sender, 50_000);
    session.poll_all(Sender);
    session.receive_filled(Receiver, start, filled);
    session.wait(Sender, libc::POLLOUT);
    session.exchange();
    Ok(())
}
