//! SO_RCVLOWAT and what wakes a reader that wants much.

use anyhow::Result;
use libc::{MSG_DONTWAIT, POLLIN};

use crate::Who::{Receiver, Sender};
use crate::events::Watch;
use crate::options::{SO_RCVLOWAT, SO_SNDLOWAT, TCP_NOTSENT_LOWAT};
use crate::{behaviours, Scene};
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

fn low_water_keeps_poll_silent(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Receiver, SO_RCVLOWAT, 10);
    scene.get(Receiver, SO_RCVLOWAT);
    let _ = scene.send(Sender, "four", 0);
    scene.poll(Receiver, POLLIN);
    let _ = scene.send(Sender, "and six", 0);
    scene.poll(Receiver, POLLIN);
    scene.receive(Receiver, 5, 0);
    scene.poll(Receiver, POLLIN);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn low_water_set_while_bytes_wait(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "four", 0);
    scene.poll(Receiver, POLLIN);
    let _ = scene.set(Receiver, SO_RCVLOWAT, 8);
    scene.poll(Receiver, POLLIN);
    let _ = scene.send(Sender, "more", 0);
    scene.poll(Receiver, POLLIN);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn low_water_lowered_while_bytes_wait(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Receiver, SO_RCVLOWAT, 100);
    let _ = scene.send(Sender, "waiting", 0);
    scene.poll(Receiver, POLLIN);
    let _ = scene.set(Receiver, SO_RCVLOWAT, 1);
    scene.poll(Receiver, POLLIN);
    scene.receive(Receiver, 100, 0);
    scene.exchange();
    Ok(())
}

fn low_water_at_the_end(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Receiver, SO_RCVLOWAT, 100);
    let _ = scene.send(Sender, "last", 0);
    scene.poll(Receiver, POLLIN);
    scene.shut_down(Sender, libc::SHUT_WR);
    scene.wait(Receiver, POLLIN);
    scene.receive(Receiver, 100, 0);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn low_water_by_epoll(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Receiver, SO_RCVLOWAT, 6);
    let watch = Watch::new(scene, Receiver, libc::EPOLLIN)?;
    for _ in 0..3 {
        let _ = scene.send(Sender, "abc", 0);
        watch.look(scene);
    }
    scene.receive(Receiver, 4, 0);
    watch.look(scene);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn low_water_by_edge(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Receiver, libc::EPOLLIN | libc::EPOLLET)?;
    let _ = scene.set(Receiver, SO_RCVLOWAT, 6);
    for _ in 0..3 {
        let _ = scene.send(Sender, "abc", 0);
        watch.look(scene);
    }
    scene.receive(Receiver, 100, 0);
    watch.look(scene);
    Ok(())
}

fn low_water_of_a_blocking_reader(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Receiver, SO_RCVLOWAT, 8);
    scene.set_blocking(Receiver, true);
    let call = receiving(scene, 100, 0);
    scene.meanwhile("recv", call, |scene, _| {
        let _ = scene.send(Sender, "four", 0);
        let _ = scene.send(Sender, "more", 0);
    });
    scene.receive(Receiver, 100, MSG_DONTWAIT);
    Ok(())
}

fn low_water_larger_than_the_buffer(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Receiver, SO_RCVLOWAT, 100_000_000);
    scene.get(Receiver, SO_RCVLOWAT);
    let _ = scene.set(Receiver, SO_RCVLOWAT, -1);
    scene.get(Receiver, SO_RCVLOWAT);
    let _ = scene.set(Receiver, SO_RCVLOWAT, 0);
    scene.get(Receiver, SO_RCVLOWAT);
    scene.exchange();
    Ok(())
}

fn low_water_of_both_ends(scene: &mut Scene) -> Result<()> {
    for (from, to) in [(Sender, Receiver), (Receiver, Sender)] {
        let _ = scene.set(to, SO_RCVLOWAT, 5);
        let _ = scene.send(from, "ab", 0);
        scene.poll(to, POLLIN);
        let _ = scene.send(from, "cde", 0);
        scene.poll(to, POLLIN);
        scene.receive(to, 100, 0);
    }
    Ok(())
}

fn low_water_does_not_hold_a_call_that_does_not_wait(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Receiver, SO_RCVLOWAT, 50);
    let _ = scene.send(Sender, "less", 0);
    scene.poll(Receiver, POLLIN);
    scene.receive(Receiver, 100, MSG_DONTWAIT);
    scene.receive(Receiver, 100, MSG_DONTWAIT);
    Ok(())
}

fn low_water_of_the_sender_cannot_be_set(scene: &mut Scene) -> Result<()> {
    scene.get(Sender, SO_SNDLOWAT);
    let _ = scene.set(Sender, SO_SNDLOWAT, 1000);
    scene.get(Sender, SO_SNDLOWAT);
    scene.exchange();
    Ok(())
}

fn low_water_of_what_is_not_sent(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Sender, TCP_NOTSENT_LOWAT, 1);
    scene.get(Sender, TCP_NOTSENT_LOWAT);
    let start = scene.made();
    let filled = scene.fill(Sender, 50_000);
    scene.poll_all(Sender);
    scene.receive_filled(Receiver, start, filled);
    scene.wait(Sender, libc::POLLOUT);
    scene.exchange();
    Ok(())
}
