//! Readiness as epoll(7) tells it: level, edge, one-shot, exclusive.

use std::sync::Arc;

use anyhow::Result;
use libc::{EPOLLET, EPOLLEXCLUSIVE, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLLRDHUP};

use crate::Who::{Receiver, Sender};
use crate::events::{EVERYTHING, Watch};
use crate::{behaviours, Scene};

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

fn level_repeats_until_read(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Receiver, EPOLLIN | EPOLLRDHUP)?;
    watch.look(scene);
    let _ = scene.send(Sender, "bytes", 0);
    watch.wait(scene);
    watch.look(scene);
    scene.receive(Receiver, 2, 0);
    watch.look(scene);
    scene.receive(Receiver, 100, 0);
    watch.look(scene);
    Ok(())
}

fn level_of_reading_and_writing(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Receiver, EVERYTHING)?;
    watch.look(scene);
    let _ = scene.send(Sender, "bytes", 0);
    watch.look(scene);
    scene.receive(Receiver, 100, 0);
    watch.look(scene);
    Ok(())
}

fn level_of_the_end(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Receiver, EVERYTHING)?;
    let _ = scene.send(Sender, "last", 0);
    scene.shut_down(Sender, libc::SHUT_WR);
    watch.look(scene);
    scene.receive(Receiver, 100, 0);
    watch.look(scene);
    scene.shut_down(Receiver, libc::SHUT_WR);
    watch.look(scene);
    Ok(())
}

fn level_of_a_reset(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Receiver, EVERYTHING)?;
    let _ = scene.send(Sender, "before", 0);
    scene.reset(Sender);
    watch.look(scene);
    scene.receive(Receiver, 100, 0);
    watch.look(scene);
    scene.receive(Receiver, 100, 0);
    watch.look(scene);
    Ok(())
}

fn edge_tells_once(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Receiver, EVERYTHING | EPOLLET)?;
    watch.look(scene);
    watch.look(scene);
    let _ = scene.send(Sender, "bytes", 0);
    watch.wait(scene);
    watch.look(scene);
    scene.receive(Receiver, 100, 0);
    scene.receive(Receiver, 100, 0);
    watch.look(scene);
    Ok(())
}

fn edge_tells_each_message(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Receiver, EPOLLIN | EPOLLET)?;
    for text in ["one", "two", "three"] {
        let _ = scene.send(Sender, text, 0);
        watch.wait(scene);
        watch.look(scene);
    }
    scene.receive(Receiver, 100, 0);
    watch.look(scene);
    Ok(())
}

fn edge_after_a_partial_read(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Receiver, EPOLLIN | EPOLLET)?;
    let _ = scene.send(Sender, "bytes", 0);
    watch.wait(scene);
    scene.receive(Receiver, 2, 0);
    watch.look(scene);
    let _ = scene.send(Sender, " more", 0);
    watch.wait(scene);
    scene.receive(Receiver, 100, 0);
    watch.look(scene);
    Ok(())
}

fn edge_of_the_end(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Receiver, EVERYTHING | EPOLLET)?;
    watch.look(scene);
    scene.shut_down(Sender, libc::SHUT_WR);
    watch.wait(scene);
    watch.look(scene);
    scene.receive(Receiver, 100, 0);
    scene.shut_down(Receiver, libc::SHUT_WR);
    watch.wait(scene);
    watch.look(scene);
    Ok(())
}

fn edge_of_a_reset(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Receiver, EPOLLIN | EPOLLET)?;
    scene.reset(Sender);
    watch.wait(scene);
    watch.look(scene);
    scene.receive(Receiver, 100, 0);
    watch.look(scene);
    Ok(())
}

fn edge_of_bytes_and_the_end_at_once(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Receiver, EPOLLIN | EPOLLRDHUP | EPOLLET)?;
    let _ = scene.send(Sender, "last", 0);
    scene.close(Sender);
    watch.wait(scene);
    watch.look(scene);
    scene.receive(Receiver, 4, 0);
    watch.look(scene);
    scene.receive(Receiver, 4, 0);
    Ok(())
}

fn edge_registered_when_bytes_wait(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "bytes", 0);
    let watch = Watch::new(scene, Receiver, EPOLLIN | EPOLLET)?;
    watch.look(scene);
    watch.look(scene);
    Ok(())
}

fn edge_rearmed_by_a_change(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Receiver, EPOLLIN | EPOLLET)?;
    let _ = scene.send(Sender, "bytes", 0);
    watch.wait(scene);
    watch.look(scene);
    watch.change(scene, Receiver, EVERYTHING | EPOLLET)?;
    watch.look(scene);
    watch.look(scene);
    Ok(())
}

/// Nothing that happens to an idle writer's own sends is an event for it.
fn edge_of_the_sender_stays_silent(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Sender, EVERYTHING | EPOLLET)?;
    watch.look(scene);
    for _ in 0..3 {
        scene.write(Sender, 2000);
        watch.look(scene);
        scene.receive_all(Receiver, 2000);
        watch.look(scene);
    }
    let _ = scene.send(Receiver, "answer", 0);
    watch.wait(scene);
    scene.receive(Sender, 100, 0);
    watch.look(scene);
    Ok(())
}

fn edge_of_the_own_half_close(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Receiver, EPOLLIN | EPOLLRDHUP | EPOLLET)?;
    scene.shut_down(Receiver, libc::SHUT_WR);
    watch.look(scene);
    let _ = scene.send(Sender, "bytes", 0);
    watch.wait(scene);
    scene.shut_down(Receiver, libc::SHUT_RD);
    watch.look(scene);
    Ok(())
}

fn edge_of_room_in_the_queue(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Sender, EPOLLOUT | EPOLLET)?;
    watch.look(scene);
    let start = scene.made();
    let filled = scene.fill(Sender, 70_000);
    scene.receive_filled(Receiver, start, filled);
    watch.wait(scene);
    scene.exchange();
    Ok(())
}

fn one_shot_tells_once(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Receiver, EPOLLIN | EPOLLONESHOT)?;
    for text in ["one", "two"] {
        let _ = scene.send(Sender, text, 0);
        watch.look(scene);
        watch.look(scene);
    }
    scene.receive(Receiver, 100, 0);
    watch.change(scene, Receiver, EPOLLIN | EPOLLONESHOT)?;
    watch.look(scene);
    let _ = scene.send(Sender, "three", 0);
    watch.look(scene);
    Ok(())
}

fn one_shot_rearmed_with_bytes_waiting(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Receiver, EPOLLIN | EPOLLONESHOT | EPOLLET)?;
    let _ = scene.send(Sender, "bytes", 0);
    watch.look(scene);
    watch.change(scene, Receiver, EPOLLIN | EPOLLONESHOT | EPOLLET)?;
    watch.look(scene);
    watch.look(scene);
    Ok(())
}

fn exclusive_wakes_somebody(scene: &mut Scene) -> Result<()> {
    let watches = [(); 2].map(|()| Watch::new(scene, Receiver, EPOLLIN | EPOLLEXCLUSIVE));
    let [first, second] = watches;
    let (first, second) = (first?, second?);
    let _ = scene.send(Sender, "bytes", 0);
    first.look(scene);
    second.look(scene);
    scene.receive(Receiver, 100, 0);
    first.look(scene);
    second.look(scene);
    Ok(())
}

fn epoll_wakes_a_waiting_thread(scene: &mut Scene) -> Result<()> {
    let watch = Arc::new(Watch::new(scene, Receiver, EPOLLIN | EPOLLRDHUP | EPOLLET)?);
    for text in ["one", "two"] {
        let waits = Arc::clone(&watch);
        scene.meanwhile(
            "epoll_wait",
            move || waits.wait_alone(),
            |scene, _| {
                let _ = scene.send(Sender, text, 0);
            },
        );
        scene.receive(Receiver, 100, 0);
    }
    let waits = Arc::clone(&watch);
    scene.meanwhile("epoll_wait", move || waits.wait_alone(), |scene, _| scene.close(Sender));
    Ok(())
}

fn epoll_of_both_ends(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Receiver, EPOLLIN | EPOLLET)?;
    watch.add(scene, Sender, EPOLLIN | EPOLLET)?;
    for _ in 0..2 {
        let _ = scene.send(Sender, "there", 0);
        watch.look(scene);
        let _ = scene.send(Receiver, "back", 0);
        watch.look(scene);
    }
    scene.receive(Receiver, 100, 0);
    scene.receive(Sender, 100, 0);
    watch.look(scene);
    Ok(())
}

fn epoll_in_an_epoll(scene: &mut Scene) -> Result<()> {
    let inner = Watch::new(scene, Receiver, EPOLLIN)?;
    inner.look_from_outside(scene)?;
    let _ = scene.send(Sender, "bytes", 0);
    inner.look_from_outside(scene)?;
    scene.receive(Receiver, 100, 0);
    inner.look_from_outside(scene)?;
    Ok(())
}
