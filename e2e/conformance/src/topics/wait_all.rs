//! MSG_WAITALL, and blocking receive calls: the descriptor turns blocking after it has been redirected.

use anyhow::Result;
use libc::{MSG_DONTWAIT, MSG_PEEK, MSG_WAITALL};

use crate::Who::{Receiver, Sender};
use crate::{behaviours, names, sys, Scene};

behaviours! {
    "recv(2) MSG_WAITALL":
        wait_all_without_blocking,
        wait_all_of_what_is_there,
        wait_all_of_two_messages,
        wait_all_begun_with_bytes_waiting,
        wait_all_ends_with_the_stream,
        wait_all_ends_with_a_reset,
        wait_all_peeks,
        wait_all_in_pieces;
    "recv(2)":
        blocking_receive_takes_what_comes,
        blocking_receive_of_a_large_message,
        blocking_receive_ends_with_the_stream,
        blocking_receive_through_the_own_half_close,
        blocking_receive_that_does_not_wait,
        blocking_receive_while_the_own_queue_empties,
        blocking_turned_on_and_off,
}

/// A receive call of a thread, as a sentence.
pub fn receiving(scene: &Scene, size: usize, flags: i32) -> impl FnOnce() -> String + Send + 'static {
    let fd = scene.fd(Receiver);
    move || {
        let mut buffer = vec![b'.'; size];
        let received = sys::receive(fd, &mut buffer, flags);
        buffer.truncate(received.unwrap_or(0));
        format!("{} {}", names::answer(received), names::bytes(&buffer))
    }
}

fn wait_all_without_blocking(scene: &mut Scene) -> Result<()> {
    scene.receive(Receiver, 10, MSG_WAITALL);
    let _ = scene.send(Sender, "half", 0);
    scene.receive(Receiver, 10, MSG_WAITALL);
    scene.receive(Receiver, 10, MSG_WAITALL);
    Ok(())
}

fn wait_all_of_what_is_there(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "all of ", 0);
    let _ = scene.send(Sender, "it", 0);
    scene.set_blocking(Receiver, true);
    scene.receive(Receiver, 9, MSG_WAITALL);
    scene.exchange();
    Ok(())
}

fn wait_all_of_two_messages(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    let call = receiving(scene, 10, MSG_WAITALL);
    scene.meanwhile("wait for 10", call, |scene, _| {
        let _ = scene.send(Sender, "first", 0);
        let _ = scene.send(Sender, "second", 0);
    });
    scene.receive(Receiver, 10, MSG_DONTWAIT);
    Ok(())
}

fn wait_all_begun_with_bytes_waiting(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "first", 0);
    scene.set_blocking(Receiver, true);
    let call = receiving(scene, 10, MSG_WAITALL);
    scene.meanwhile("wait for 10", call, |scene, _| {
        let _ = scene.send(Sender, "second", 0);
    });
    scene.receive(Receiver, 10, MSG_DONTWAIT);
    Ok(())
}

fn wait_all_ends_with_the_stream(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    let call = receiving(scene, 10, MSG_WAITALL);
    scene.meanwhile("wait for 10", call, |scene, _| {
        let _ = scene.send(Sender, "first", 0);
        scene.shut_down(Sender, libc::SHUT_WR);
    });
    scene.receive(Receiver, 10, MSG_WAITALL);
    Ok(())
}

fn wait_all_ends_with_a_reset(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    let call = receiving(scene, 10, MSG_WAITALL);
    scene.meanwhile("wait for 10", call, |scene, _| {
        let _ = scene.send(Sender, "first", 0);
        scene.reset(Sender);
    });
    scene.receive(Receiver, 10, MSG_DONTWAIT);
    scene.receive(Receiver, 10, MSG_DONTWAIT);
    Ok(())
}

fn wait_all_peeks(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    let _ = scene.send(Sender, "first", 0);
    let call = receiving(scene, 10, MSG_WAITALL | MSG_PEEK);
    scene.meanwhile("peek at 10", call, |scene, _| {
        let _ = scene.send(Sender, "second", 0);
    });
    scene.receive(Receiver, 20, MSG_DONTWAIT);
    Ok(())
}

fn wait_all_in_pieces(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    let fd = scene.fd(Receiver);
    let call = move || {
        let mut pieces = [vec![b'.'; 4], vec![b'.'; 8]];
        let mut entries: Vec<_> = pieces.iter_mut().map(|piece| sys::piece(piece)).collect();
        let (received, _) = sys::receive_message(fd, &mut entries, 0, MSG_WAITALL);
        format!("{} {}", names::answer(received), names::bytes(&pieces.concat()))
    };
    scene.meanwhile("wait for 4 and 8", call, |scene, _| {
        for text in ["ab", "cdefg", "hijkl", "mnop"] {
            let _ = scene.send(Sender, text, 0);
        }
    });
    scene.receive(Receiver, 20, MSG_DONTWAIT);
    Ok(())
}

fn blocking_receive_takes_what_comes(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    for text in ["one", "two"] {
        let call = receiving(scene, 10, 0);
        scene.meanwhile("recv", call, |scene, _| {
            let _ = scene.send(Sender, text, 0);
        });
    }
    scene.exchange();
    Ok(())
}

fn blocking_receive_of_a_large_message(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    let call = receiving(scene, 50_000, MSG_WAITALL);
    scene.meanwhile("recv", call, |scene, _| {
        for _ in 0..5 {
            scene.write(Sender, 10_000);
        }
    });
    scene.exchange();
    Ok(())
}

fn blocking_receive_ends_with_the_stream(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    let call = receiving(scene, 10, 0);
    scene.meanwhile("recv", call, |scene, _| scene.shut_down(Sender, libc::SHUT_WR));
    scene.receive(Receiver, 10, 0);
    Ok(())
}

/// The acknowledgement of the FIN wakes the reader with nothing to read.
fn blocking_receive_through_the_own_half_close(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    let call = receiving(scene, 10, 0);
    scene.meanwhile("recv", call, |scene, _| {
        scene.shut_down(Receiver, libc::SHUT_WR);
        scene.receive(Sender, 10, 0);
        let _ = scene.send(Sender, "answer", 0);
    });
    Ok(())
}

fn blocking_receive_that_does_not_wait(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    scene.receive(Receiver, 10, MSG_DONTWAIT);
    let _ = scene.send(Sender, "bytes", 0);
    scene.receive(Receiver, 10, MSG_DONTWAIT);
    scene.receive(Receiver, 10, MSG_DONTWAIT);
    Ok(())
}

/// Room in the send buffer wakes everybody who waits on the socket, the reader too.
fn blocking_receive_while_the_own_queue_empties(scene: &mut Scene) -> Result<()> {
    let start = scene.made();
    let filled = scene.fill(Receiver, 60_000);
    scene.set_blocking(Receiver, true);
    let call = receiving(scene, 10, 0);
    scene.meanwhile("recv", call, |scene, _| {
        scene.receive_filled(Sender, start, filled);
        let _ = scene.send(Sender, "at last", 0);
    });
    Ok(())
}

fn blocking_turned_on_and_off(scene: &mut Scene) -> Result<()> {
    for _ in 0..2 {
        scene.set_blocking(Receiver, true);
        let call = receiving(scene, 10, 0);
        scene.meanwhile("recv", call, |scene, _| {
            let _ = scene.send(Sender, "wakes", 0);
        });
        scene.set_blocking(Receiver, false);
        scene.receive(Receiver, 10, 0);
        scene.exchange();
    }
    Ok(())
}
