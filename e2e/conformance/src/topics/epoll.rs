//! Readiness as epoll(7) tells it: level, edge, one-shot, exclusive.

use std::sync::Arc;

use anyhow::Result;
use libc::{EPOLLET, EPOLLEXCLUSIVE, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLLRDHUP};

use crate::Who::{Receiver, Sender};
use crate::events::{EVERYTHING, Watch};
use crate::{behaviours, Session};

behaviours! {
    "epoll(7)":
        level_repeats_until_read,
        level_of_reading_and_writing,
        level_of_the_end,
        level_of_a_reset;
    "epoll(7) EPOLLET":
        edge_tells_once,
        edge_tells_each_message,
        edge_after_a_partial_read,
        edge_of_the_end,
        edge_of_a_reset,
        edge_of_bytes_and_the_end_at_once,
        edge_registered_when_bytes_wait,
        edge_rearmed_by_a_change,
        edge_of_the_sender_stays_silent,
        edge_of_the_own_half_close,
        edge_of_room_in_the_queue;
    "epoll(7) EPOLLONESHOT":
        one_shot_tells_once,
        one_shot_rearmed_with_bytes_waiting;
    "epoll_ctl(2) EPOLLEXCLUSIVE":
        exclusive_wakes_somebody;
    "epoll_wait(2)":
        epoll_wakes_a_waiting_thread,
        epoll_of_both_ends,
        epoll_in_an_epoll;
}

fn level_repeats_until_read(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Receiver, EPOLLIN | EPOLLRDHUP)?;
    watch.look(session);
    let _ = session.send(Sender, "bytes", 0);
    watch.wait(session);
    watch.look(session);
    session.receive(Receiver, 2, 0);
    watch.look(session);
    session.receive(Receiver, 100, 0);
    watch.look(session);
    Ok(())
}

fn level_of_reading_and_writing(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Receiver, EVERYTHING)?;
    watch.look(session);
    let _ = session.send(Sender, "bytes", 0);
    watch.look(session);
    session.receive(Receiver, 100, 0);
    watch.look(session);
    Ok(())
}

fn level_of_the_end(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Receiver, EVERYTHING)?;
    let _ = session.send(Sender, "last", 0);
    session.shut_down(Sender, libc::SHUT_WR);
    watch.look(session);
    session.receive(Receiver, 100, 0);
    watch.look(session);
    session.shut_down(Receiver, libc::SHUT_WR);
    watch.look(session);
    Ok(())
}

fn level_of_a_reset(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Receiver, EVERYTHING)?;
    let _ = session.send(Sender, "before", 0);
    session.reset(Sender);
    watch.look(session);
    session.receive(Receiver, 100, 0);
    watch.look(session);
    session.receive(Receiver, 100, 0);
    watch.look(session);
    Ok(())
}

fn edge_tells_once(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Receiver, EVERYTHING | EPOLLET)?;
    watch.look(session);
    watch.look(session);
    let _ = session.send(Sender, "bytes", 0);
    watch.wait(session);
    watch.look(session);
    session.receive(Receiver, 100, 0);
    session.receive(Receiver, 100, 0);
    watch.look(session);
    Ok(())
}

fn edge_tells_each_message(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Receiver, EPOLLIN | EPOLLET)?;
    for text in ["one", "two", "three"] {
        let _ = session.send(Sender, text, 0);
        watch.wait(session);
        watch.look(session);
    }
    session.receive(Receiver, 100, 0);
    watch.look(session);
    Ok(())
}

fn edge_after_a_partial_read(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Receiver, EPOLLIN | EPOLLET)?;
    let _ = session.send(Sender, "bytes", 0);
    watch.wait(session);
    session.receive(Receiver, 2, 0);
    watch.look(session);
    let _ = session.send(Sender, " more", 0);
    watch.wait(session);
    session.receive(Receiver, 100, 0);
    watch.look(session);
    Ok(())
}

fn edge_of_the_end(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Receiver, EVERYTHING | EPOLLET)?;
    watch.look(session);
    session.shut_down(Sender, libc::SHUT_WR);
    watch.wait(session);
    watch.look(session);
    session.receive(Receiver, 100, 0);
    session.shut_down(Receiver, libc::SHUT_WR);
    watch.wait(session);
    watch.look(session);
    Ok(())
}

fn edge_of_a_reset(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Receiver, EPOLLIN | EPOLLET)?;
    session.reset(Sender);
    watch.wait(session);
    watch.look(session);
    session.receive(Receiver, 100, 0);
    watch.look(session);
    Ok(())
}

fn edge_of_bytes_and_the_end_at_once(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Receiver, EPOLLIN | EPOLLRDHUP | EPOLLET)?;
    let _ = session.send(Sender, "last", 0);
    session.close(Sender);
    watch.wait(session);
    watch.look(session);
    session.receive(Receiver, 4, 0);
    watch.look(session);
    session.receive(Receiver, 4, 0);
    Ok(())
}

fn edge_registered_when_bytes_wait(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "bytes", 0);
    let watch = Watch::new(session, Receiver, EPOLLIN | EPOLLET)?;
    watch.look(session);
    watch.look(session);
    Ok(())
}

fn edge_rearmed_by_a_change(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Receiver, EPOLLIN | EPOLLET)?;
    let _ = session.send(Sender, "bytes", 0);
    watch.wait(session);
    watch.look(session);
    watch.change(session, Receiver, EVERYTHING | EPOLLET)?;
    watch.look(session);
    watch.look(session);
    Ok(())
}

/// Nothing that happens to an idle writer's own sends is an event for it.
fn edge_of_the_sender_stays_silent(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Sender, EVERYTHING | EPOLLET)?;
    watch.look(session);
    for _ in 0..3 {
        session.write(Sender, 2000);
        watch.look(session);
        session.receive_all(Receiver, 2000);
        watch.look(session);
    }
    let _ = session.send(Receiver, "answer", 0);
    watch.wait(session);
    session.receive(Sender, 100, 0);
    watch.look(session);
    Ok(())
}

fn edge_of_the_own_half_close(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Receiver, EPOLLIN | EPOLLRDHUP | EPOLLET)?;
    session.shut_down(Receiver, libc::SHUT_WR);
    watch.look(session);
    let _ = session.send(Sender, "bytes", 0);
    watch.wait(session);
    session.shut_down(Receiver, libc::SHUT_RD);
    watch.look(session);
    Ok(())
}

fn edge_of_room_in_the_queue(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Sender, EPOLLOUT | EPOLLET)?;
    watch.look(session);
    let start = session.made();
    let filled = session.fill(Sender, 70_000);
    session.receive_filled(Receiver, start, filled);
    watch.wait(session);
    session.exchange();
    Ok(())
}

fn one_shot_tells_once(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Receiver, EPOLLIN | EPOLLONESHOT)?;
    for text in ["one", "two"] {
        let _ = session.send(Sender, text, 0);
        watch.look(session);
        watch.look(session);
    }
    session.receive(Receiver, 100, 0);
    watch.change(session, Receiver, EPOLLIN | EPOLLONESHOT)?;
    watch.look(session);
    let _ = session.send(Sender, "three", 0);
    watch.look(session);
    Ok(())
}

fn one_shot_rearmed_with_bytes_waiting(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Receiver, EPOLLIN | EPOLLONESHOT | EPOLLET)?;
    let _ = session.send(Sender, "bytes", 0);
    watch.look(session);
    watch.change(session, Receiver, EPOLLIN | EPOLLONESHOT | EPOLLET)?;
    watch.look(session);
    watch.look(session);
    Ok(())
}

fn exclusive_wakes_somebody(session: &mut Session) -> Result<()> {
    let watches = [(); 2].map(|()| Watch::new(session, Receiver, EPOLLIN | EPOLLEXCLUSIVE));
    let [first, second] = watches;
    let (first, second) = (first?, second?);
    let _ = session.send(Sender, "bytes", 0);
    first.look(session);
    second.look(session);
    session.receive(Receiver, 100, 0);
    first.look(session);
    second.look(session);
    Ok(())
}

fn epoll_wakes_a_waiting_thread(session: &mut Session) -> Result<()> {
    let watch = Arc::new(Watch::new(session, Receiver, EPOLLIN | EPOLLRDHUP | EPOLLET)?);
    for text in ["one", "two"] {
        let waits = Arc::clone(&watch);
        session.meanwhile(
            "epoll_wait",
            move || waits.wait_alone(),
            |session, _| {
                let _ = session.send(Sender, text, 0);
            },
        );
        session.receive(Receiver, 100, 0);
    }
    let waits = Arc::clone(&watch);
    session.meanwhile("epoll_wait", move || waits.wait_alone(), |session, _| session.close(Sender));
    Ok(())
}

fn epoll_of_both_ends(session: &mut Session) -> Result<()> {
    let watch = Watch::new(session, Receiver, EPOLLIN | EPOLLET)?;
    watch.add(session, Sender, EPOLLIN | EPOLLET)?;
    for _ in 0..2 {
        let _ = session.send(Sender, "there", 0);
        watch.look(session);
        let _ = session.send(Receiver, "back", 0);
        watch.look(session);
    }
    session.receive(Receiver, 100, 0);
    session.receive(Sender, 100, 0);
    watch.look(session);
    Ok(())
}

fn epoll_in_an_epoll(session: &mut Session) -> Result<()> {
    let inner = Watch::new(session, Receiver, EPOLLIN)?;
    inner.look_from_outside(session)?;
    let _ = session.send(Sender, "bytes", 0);
    inner.look_from_outside(session)?;
    session.receive(Receiver, 100, 0);
    inner.look_from_outside(session)?;
    Ok(())
}
