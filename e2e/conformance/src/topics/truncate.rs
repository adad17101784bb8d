//! MSG_TRUNC, which on a stream throws bytes away.

use anyhow::Result;
use libc::{MSG_TRUNC, MSG_WAITALL};

use crate::Who::{Receiver, Sender};
use crate::{behaviours, names, sys, Scene};

behaviours! {
    "tcp(7) MSG_TRUNC":
        truncate_discards_and_writes_nothing,
        truncate_of_several_messages,
        truncate_more_than_there_is,
        truncate_without_a_buffer,
        truncate_at_the_end,
        truncate_then_more,
}

fn truncate_discards_and_writes_nothing(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "discarded kept", 0);
    scene.receive(Receiver, 10, MSG_TRUNC);
    scene.receive(Receiver, 10, 0);
    Ok(())
}

fn truncate_of_several_messages(scene: &mut Scene) -> Result<()> {
    for text in ["abc", "def", "ghi"] {
        let _ = scene.send(Sender, text, 0);
    }
    scene.receive(Receiver, 5, MSG_TRUNC);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn truncate_more_than_there_is(scene: &mut Scene) -> Result<()> {
    scene.receive(Receiver, 10, MSG_TRUNC);
    let _ = scene.send(Sender, "few", 0);
    scene.receive(Receiver, 100, MSG_TRUNC | MSG_WAITALL);
    scene.receive(Receiver, 100, MSG_TRUNC);
    Ok(())
}

/// The way to throw much away without memory for it.
fn truncate_without_a_buffer(scene: &mut Scene) -> Result<()> {
    scene.write(Sender, 30_000);
    let _ = scene.send(Sender, "after", 0);
    let discarded = sys::receive_nowhere(scene.fd(Receiver), 0, 30_000, MSG_TRUNC);
    scene.tell(Receiver, format_args!("discards 30000 without a buffer -> {}", names::answer(discarded)));
    scene.receive(Receiver, 10, 0);
    Ok(())
}

fn truncate_at_the_end(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "end", 0);
    scene.shut_down(Sender, libc::SHUT_WR);
    scene.receive(Receiver, 2, MSG_TRUNC);
    scene.receive(Receiver, 10, MSG_TRUNC);
    scene.receive(Receiver, 10, MSG_TRUNC);
    Ok(())
}

fn truncate_then_more(scene: &mut Scene) -> Result<()> {
    for _ in 0..2 {
        let _ = scene.send(Sender, "gone", 0);
        scene.receive(Receiver, 4, MSG_TRUNC);
        scene.exchange();
    }
    Ok(())
}
