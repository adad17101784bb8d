//! Readiness as poll(2) tells it.

use anyhow::Result;
use libc::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDBAND, POLLRDHUP, POLLRDNORM};

use crate::Who::{Receiver, Sender};
use crate::{behaviours, names, sys, Scene};

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

fn poll_of_a_quiet_connection(scene: &mut Scene) -> Result<()> {
    scene.poll_all(Sender);
    scene.poll_all(Receiver);
    scene.exchange();
    scene.poll_all(Sender);
    scene.poll_all(Receiver);
    Ok(())
}

fn poll_before_and_after_bytes(scene: &mut Scene) -> Result<()> {
    for text in ["one", "two"] {
        scene.poll_all(Receiver);
        let _ = scene.send(Sender, text, 0);
        scene.poll_all(Receiver);
        scene.receive(Receiver, 1, 0);
        scene.poll_all(Receiver);
        scene.receive(Receiver, 2, 0);
        scene.poll_all(Receiver);
    }
    Ok(())
}

fn poll_of_bands_and_priority(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "bytes", 0);
    for events in [POLLIN, POLLRDNORM, POLLRDBAND, POLLPRI, POLLRDBAND | POLLIN, 0] {
        scene.poll(Receiver, events);
    }
    Ok(())
}

fn poll_of_a_half_closed_connection(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "last", 0);
    scene.shut_down(Sender, libc::SHUT_WR);
    for events in [POLLRDHUP, POLLHUP, POLLIN, POLLOUT, POLLERR, 0] {
        scene.poll(Receiver, events);
    }
    scene.receive(Receiver, 10, 0);
    scene.poll_all(Receiver);
    scene.poll_all(Sender);
    Ok(())
}

fn poll_of_nothing_but_errors(scene: &mut Scene) -> Result<()> {
    scene.poll(Receiver, 0);
    let _ = scene.send(Sender, "bytes", 0);
    scene.poll(Receiver, 0);
    scene.reset(Sender);
    scene.poll(Receiver, 0);
    scene.receive(Receiver, 10, 0);
    scene.poll(Receiver, 0);
    Ok(())
}

fn poll_after_every_kind_of_end(scene: &mut Scene) -> Result<()> {
    scene.shut_down(Receiver, libc::SHUT_RD);
    scene.poll_all(Receiver);
    scene.shut_down(Receiver, libc::SHUT_WR);
    scene.poll_all(Receiver);
    scene.poll_all(Sender);
    scene.shut_down(Sender, libc::SHUT_WR);
    scene.poll_all(Receiver);
    scene.poll_all(Sender);
    Ok(())
}

/// A poll(2) of a thread, as a sentence.
fn polling(scene: &Scene, events: i16) -> impl FnOnce() -> String + Send + 'static {
    let fd = scene.fd(Receiver);
    move || names::answer(sys::poll(fd, events, 2000).map(|seen| names::events(seen.into())))
}

fn poll_wakes_a_waiting_thread(scene: &mut Scene) -> Result<()> {
    for text in ["one", "two"] {
        let call = polling(scene, POLLIN | POLLRDHUP);
        scene.meanwhile("poll", call, |scene, _| {
            let _ = scene.send(Sender, text, 0);
        });
        scene.receive(Receiver, 10, 0);
    }
    Ok(())
}

fn poll_wakes_a_waiting_thread_at_the_end(scene: &mut Scene) -> Result<()> {
    let call = polling(scene, POLLIN);
    scene.meanwhile("poll", call, |scene, _| scene.close(Sender));
    scene.receive(Receiver, 10, 0);
    Ok(())
}

fn poll_for_the_end_is_not_woken_by_bytes(scene: &mut Scene) -> Result<()> {
    let call = polling(scene, POLLRDHUP);
    scene.meanwhile("poll", call, |scene, _| {
        let _ = scene.send(Sender, "bytes", 0);
        scene.receive(Receiver, 10, 0);
        scene.shut_down(Sender, libc::SHUT_WR);
    });
    Ok(())
}

fn poll_of_both_ends_at_once(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "there", 0);
    let mut entries =
        [Sender, Receiver].map(|who| libc::pollfd { fd: scene.fd(who), events: POLLIN | POLLOUT, revents: 0 });
    let answer = sys::poll_many(&mut entries, 0);
    let seen = entries.map(|entry| names::events(entry.revents.into()));
    scene.note(format!("poll of both -> {} {seen:?}", names::answer(answer)));
    scene.receive(Receiver, 10, 0);
    Ok(())
}

fn select_sees_the_same(scene: &mut Scene) -> Result<()> {
    let select = |scene: &mut Scene| {
        let seen = sys::select(scene.fd(Receiver));
        scene.note(format!("select (readable, writable, exceptional) -> {seen:?}"));
    };
    select(scene);
    let _ = scene.send(Sender, "bytes", 0);
    select(scene);
    scene.receive(Receiver, 10, 0);
    select(scene);
    let _ = scene.send(Sender, "!", libc::MSG_OOB);
    select(scene);
    scene.receive(Receiver, 10, libc::MSG_OOB);
    scene.shut_down(Sender, libc::SHUT_WR);
    select(scene);
    Ok(())
}
