//! Writability while nobody reads.

use anyhow::Result;
use libc::{MSG_DONTWAIT, POLLOUT};

use crate::Who::{Receiver, Sender};
use crate::events::Watch;
use crate::options::{SO_RCVBUF, SO_SNDBUF, SO_SNDTIMEO};
use crate::{behaviours, names, sys, Session};

behaviours! {
    "send(2) EAGAIN":
        full_queue_is_not_writable,
        full_queue_of_small_messages,
        full_queue_is_writable_again,
        full_queue_and_the_end,
        full_queue_and_a_reset,
        full_queue_in_both_directions;
    "send(2)":
        blocking_send_waits_for_room,
        blocking_send_runs_out_of_time,
        blocking_send_ends_with_a_reset;
}

fn full_queue_is_not_writable(session: &mut Session) -> Result<()> {
    let start = session.made();
    let filled = session.fill(Sender, 100_000);
    session.poll_all(Sender);
    let _ = session.send(Sender, "no room", MSG_DONTWAIT);
    session.receive_filled(Receiver, start, filled);
    session.wait(Sender, POLLOUT);
    session.exchange();
    Ok(())
}

fn full_queue_of_small_messages(session: &mut Session) -> Result<()> {
    // A small window empties a large send buffer in minutes, on plain TCP too.
    let _ = session.set(Sender, SO_SNDBUF, 10_000);
    let _ = session.set(Receiver, SO_RCVBUF, 20_000);
    let start = session.made();
    let filled = session.fill(Sender, 700);
    session.poll(Sender, POLLOUT);
    session.receive_filled(Receiver, start, filled);
    session.wait(Sender, POLLOUT);
    session.exchange();
    Ok(())
}

fn full_queue_is_writable_again(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Sender, libc::EPOLLOUT)?;
    watch.look(session);
    for _ in 0..2 {
        let start = session.made();
        let filled = session.fill(Sender, 60_000);
        watch.look(session);
        session.receive_filled(Receiver, start, filled);
        watch.wait(session);
    }
    Ok(())
}

fn full_queue_and_the_end(session: &mut Session) -> Result<()> {
    let start = session.made();
    let filled = session.fill(Sender, 60_000);
    let shut = sys::shut_down(session.fd(Sender), libc::SHUT_WR);
    session.note(format!("shutdown with a full queue -> {}", names::answer(shut)));
    session.poll_all(Sender);
    session.receive_filled(Receiver, start, filled);
    session.wait(Receiver, libc::POLLIN);
    session.receive(Receiver, 10, 0);
    let _ = session.send(Receiver, "answer", 0);
    session.receive(Sender, 10, 0);
    Ok(())
}

fn full_queue_and_a_reset(session: &mut Session) -> Result<()> {
    session.fill(Sender, 60_000);
    session.reset(Receiver);
    session.wait(Sender, libc::POLLHUP);
    session.poll_all(Sender);
    let _ = session.send(Sender, "nobody", libc::MSG_NOSIGNAL);
    let _ = session.send(Sender, "nobody", libc::MSG_NOSIGNAL);
    session.receive(Sender, 10, 0);
    Ok(())
}

fn full_queue_in_both_directions(session: &mut Session) -> Result<()> {
    let there = session.made();
    let filled_there = session.fill(Sender, 60_000);
    let back = session.made();
    let filled_back = session.fill(Receiver, 60_000);
    session.poll_all(Sender);
    session.poll_all(Receiver);
    session.receive_filled(Receiver, there, filled_there);
    session.receive_filled(Sender, back, filled_back);
    session.wait(Sender, POLLOUT);
    session.wait(Receiver, POLLOUT);
    session.exchange();
    Ok(())
}

/// A send of a thread, as a sentence.
fn sending(session: &mut Session, size: usize) -> impl FnOnce() -> String + Send + 'static {
    let bytes = session.bytes(size);
    let fd = session.fd(Sender);
    move || names::answer(sys::send(fd, &bytes, libc::MSG_NOSIGNAL))
}

fn blocking_send_waits_for_room(session: &mut Session) -> Result<()> {
    let start = session.made();
    let filled = session.fill(Sender, 60_000);
    session.set_blocking(Sender, true);
    let next = session.made();
    let call = sending(session, 5000);
    session.meanwhile("send", call, |session, _| {
        session.receive_filled(Receiver, start, filled);
    });
    session.receive_filled(Receiver, next, 5000);
    Ok(())
}

fn blocking_send_runs_out_of_time(session: &mut Session) -> Result<()> {
    let start = session.made();
    let filled = fill_and_turn_blocking(session);
    session.set_time_out(Sender, SO_SNDTIMEO, std::time::Duration::from_millis(60));
    let _ = session.send(Sender, "no room", 0);
    session.receive_filled(Receiver, start, filled);
    session.exchange();
    Ok(())
}

/// Fills the queue, and again once the descriptor is blocking: whoever turns blocking leaves the SOCKHASH, and where tcp_bpf_sendmsg
/// takes no more since the send buffer is used up, tcp_sendmsg still fills the last segment. Gives the bytes of both.
pub(super) fn fill_and_turn_blocking(session: &mut Session) -> usize {
    let filled = session.fill(Sender, 60_000);
    session.set_blocking(Sender, true);
    filled + session.fill(Sender, 1000)
}

fn blocking_send_ends_with_a_reset(session: &mut Session) -> Result<()> {
    fill_and_turn_blocking(session);
    let call = sending(session, 5000);
    session.meanwhile("send", call, |session, _| session.reset(Receiver));
    let _ = session.send(Sender, "nobody", libc::MSG_NOSIGNAL);
    Ok(())
}
