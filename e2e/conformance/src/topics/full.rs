//! Writability while nobody reads.

use anyhow::Result;
use libc::{MSG_DONTWAIT, POLLOUT};

use crate::Who::{Receiver, Sender};
use crate::events::Watch;
use crate::options::{SO_RCVBUF, SO_SNDBUF, SO_SNDTIMEO};
use crate::{behaviours, names, sys, Scene};

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

fn full_queue_is_not_writable(scene: &mut Scene) -> Result<()> {
    let start = scene.made();
    let filled = scene.fill(Sender, 100_000);
    scene.poll_all(Sender);
    let _ = scene.send(Sender, "no room", MSG_DONTWAIT);
    scene.receive_filled(Receiver, start, filled);
    scene.wait(Sender, POLLOUT);
    scene.exchange();
    Ok(())
}

fn full_queue_of_small_messages(scene: &mut Scene) -> Result<()> {
    // A small window empties a large send buffer in minutes, on plain TCP too.
    let _ = scene.set(Sender, SO_SNDBUF, 10_000);
    let _ = scene.set(Receiver, SO_RCVBUF, 20_000);
    let start = scene.made();
    let filled = scene.fill(Sender, 700);
    scene.poll(Sender, POLLOUT);
    scene.receive_filled(Receiver, start, filled);
    scene.wait(Sender, POLLOUT);
    scene.exchange();
    Ok(())
}

fn full_queue_is_writable_again(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Sender, libc::EPOLLOUT)?;
    watch.look(scene);
    for _ in 0..2 {
        let start = scene.made();
        let filled = scene.fill(Sender, 60_000);
        watch.look(scene);
        scene.receive_filled(Receiver, start, filled);
        watch.wait(scene);
    }
    Ok(())
}

fn full_queue_and_the_end(scene: &mut Scene) -> Result<()> {
    let start = scene.made();
    let filled = scene.fill(Sender, 60_000);
    let shut = sys::shut_down(scene.fd(Sender), libc::SHUT_WR);
    scene.note(format!("shutdown with a full queue -> {}", names::answer(shut)));
    scene.poll_all(Sender);
    scene.receive_filled(Receiver, start, filled);
    scene.wait(Receiver, libc::POLLIN);
    scene.receive(Receiver, 10, 0);
    let _ = scene.send(Receiver, "answer", 0);
    scene.receive(Sender, 10, 0);
    Ok(())
}

fn full_queue_and_a_reset(scene: &mut Scene) -> Result<()> {
    scene.fill(Sender, 60_000);
    scene.reset(Receiver);
    scene.wait(Sender, libc::POLLHUP);
    scene.poll_all(Sender);
    let _ = scene.send(Sender, "nobody", libc::MSG_NOSIGNAL);
    let _ = scene.send(Sender, "nobody", libc::MSG_NOSIGNAL);
    scene.receive(Sender, 10, 0);
    Ok(())
}

fn full_queue_in_both_directions(scene: &mut Scene) -> Result<()> {
    let there = scene.made();
    let filled_there = scene.fill(Sender, 60_000);
    let back = scene.made();
    let filled_back = scene.fill(Receiver, 60_000);
    scene.poll_all(Sender);
    scene.poll_all(Receiver);
    scene.receive_filled(Receiver, there, filled_there);
    scene.receive_filled(Sender, back, filled_back);
    scene.wait(Sender, POLLOUT);
    scene.wait(Receiver, POLLOUT);
    scene.exchange();
    Ok(())
}

/// A send of a thread, as a sentence.
fn sending(scene: &mut Scene, size: usize) -> impl FnOnce() -> String + Send + 'static {
    let bytes = scene.bytes(size);
    let fd = scene.fd(Sender);
    move || names::answer(sys::send(fd, &bytes, libc::MSG_NOSIGNAL))
}

fn blocking_send_waits_for_room(scene: &mut Scene) -> Result<()> {
    let start = scene.made();
    let filled = scene.fill(Sender, 60_000);
    scene.set_blocking(Sender, true);
    let next = scene.made();
    let call = sending(scene, 5000);
    scene.meanwhile("send", call, |scene, _| {
        scene.receive_filled(Receiver, start, filled);
    });
    scene.receive_filled(Receiver, next, 5000);
    Ok(())
}

fn blocking_send_runs_out_of_time(scene: &mut Scene) -> Result<()> {
    let start = scene.made();
    let filled = fill_and_turn_blocking(scene);
    scene.set_time_out(Sender, SO_SNDTIMEO, std::time::Duration::from_millis(60));
    let _ = scene.send(Sender, "no room", 0);
    scene.receive_filled(Receiver, start, filled);
    scene.exchange();
    Ok(())
}

/// Fills the queue, and again once the descriptor is blocking: whoever turns blocking leaves the SOCKHASH, and where tcp_bpf_sendmsg
/// takes no more since the send buffer is used up, tcp_sendmsg still fills the last segment. Gives the bytes of both.
pub(super) fn fill_and_turn_blocking(scene: &mut Scene) -> usize {
    let filled = scene.fill(Sender, 60_000);
    scene.set_blocking(Sender, true);
    filled + scene.fill(Sender, 1000)
}

fn blocking_send_ends_with_a_reset(scene: &mut Scene) -> Result<()> {
    fill_and_turn_blocking(scene);
    let call = sending(scene, 5000);
    scene.meanwhile("send", call, |scene, _| scene.reset(Receiver));
    let _ = scene.send(Sender, "nobody", libc::MSG_NOSIGNAL);
    Ok(())
}
