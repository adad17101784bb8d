//! SO_RCVTIMEO, on a descriptor that turned blocking after it was redirected.

use std::time::{Duration, Instant};

use anyhow::Result;
use libc::{MSG_DONTWAIT, MSG_WAITALL};

use crate::Who::{Receiver, Sender};
use crate::options::SO_RCVTIMEO;
use crate::{behaviours, names, sys, Scene};

behaviours! {
    "socket(7) SO_RCVTIMEO":
        time_out_of_nothing,
        time_out_is_not_reached,
        time_out_with_a_part,
        time_out_then_bytes,
        time_out_does_not_touch_what_does_not_wait,
        time_out_of_several_messages;
    "recvmmsg(2)":
        several_messages_in_their_own_time;
}

const SHORT: Duration = Duration::from_millis(60);

/// A receive call that should wait its time.
fn patient(scene: &mut Scene, size: usize, flags: i32) {
    let start = Instant::now();
    scene.receive(Receiver, size, flags);
    let waited = start.elapsed() >= SHORT;
    scene.note(format!("it waited its time: {waited}"));
}

fn time_out_of_nothing(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    scene.set_time_out(Receiver, SO_RCVTIMEO, SHORT);
    patient(scene, 10, 0);
    patient(scene, 10, 0);
    scene.exchange();
    patient(scene, 10, 0);
    Ok(())
}

fn time_out_is_not_reached(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    scene.set_time_out(Receiver, SO_RCVTIMEO, Duration::from_secs(2));
    let call = super::wait_all::receiving(scene, 10, 0);
    scene.meanwhile("recv", call, |scene, _| {
        let _ = scene.send(Sender, "in time", 0);
    });
    Ok(())
}

fn time_out_with_a_part(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    scene.set_time_out(Receiver, SO_RCVTIMEO, SHORT);
    let _ = scene.send(Sender, "part", 0);
    patient(scene, 10, MSG_WAITALL);
    patient(scene, 10, MSG_WAITALL);
    Ok(())
}

fn time_out_then_bytes(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    scene.set_time_out(Receiver, SO_RCVTIMEO, SHORT);
    for text in ["one", "two"] {
        patient(scene, 10, 0);
        let _ = scene.send(Sender, text, 0);
        scene.receive(Receiver, 10, 0);
    }
    Ok(())
}

fn time_out_does_not_touch_what_does_not_wait(scene: &mut Scene) -> Result<()> {
    scene.set_time_out(Receiver, SO_RCVTIMEO, Duration::from_secs(2));
    let start = Instant::now();
    scene.receive(Receiver, 10, 0);
    scene.set_blocking(Receiver, true);
    scene.receive(Receiver, 10, MSG_DONTWAIT);
    let waited = start.elapsed() >= Duration::from_secs(1);
    scene.note(format!("it waited: {waited}"));
    Ok(())
}

fn time_out_of_several_messages(scene: &mut Scene) -> Result<()> {
    scene.set_time_out(Receiver, SO_RCVTIMEO, SHORT);
    let _ = scene.send(Sender, "bytes", 0);
    scene.set_blocking(Receiver, true);
    patient(scene, 3, 0);
    patient(scene, 3, 0);
    Ok(())
}

fn several_messages_in_their_own_time(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    scene.set_time_out(Receiver, SO_RCVTIMEO, SHORT);
    let _ = scene.send(Sender, "abcdefgh", 0);
    let (answer, messages) = sys::receive_messages(scene.fd(Receiver), &[3, 3, 3, 3], 0);
    let shown: Vec<_> = messages.iter().map(|message| names::bytes(message)).collect();
    scene.tell(Receiver, format_args!("recvmmsg -> {} {shown:?}", names::answer(answer)));
    scene.receive(Receiver, 10, MSG_DONTWAIT);
    Ok(())
}
