//! MSG_PEEK and SO_PEEK_OFF.

use anyhow::Result;
use libc::{MSG_PEEK, MSG_TRUNC, MSG_WAITALL};

use crate::Who::{Receiver, Sender};
use crate::options::SO_PEEK_OFF;
use crate::{behaviours, Scene};

behaviours! {
    "recv(2) MSG_PEEK":
        peek_leaves_the_bytes,
        peek_sees_several_messages_at_once,
        peek_of_nothing,
        peek_at_the_end,
        peek_of_much,
        peek_of_no_bytes,
        peek_waits_for_all_without_waiting,
        peek_and_truncate,
        peek_into_pieces,
        peek_again_after_more_came;
    "socket(7) SO_PEEK_OFF":
        peek_offset_moves_on,
        peek_offset_set_while_bytes_wait,
        peek_offset_beyond_what_is_there,
}

fn peek_leaves_the_bytes(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "hello world", 0);
    scene.receive(Receiver, 5, MSG_PEEK);
    scene.receive(Receiver, 100, MSG_PEEK);
    scene.receive(Receiver, 100, 0);
    scene.receive(Receiver, 100, MSG_PEEK);
    Ok(())
}

fn peek_sees_several_messages_at_once(scene: &mut Scene) -> Result<()> {
    for text in ["one ", "two ", "three"] {
        let _ = scene.send(Sender, text, 0);
    }
    scene.receive(Receiver, 100, MSG_PEEK);
    scene.receive(Receiver, 6, 0);
    scene.receive(Receiver, 100, MSG_PEEK);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn peek_of_nothing(scene: &mut Scene) -> Result<()> {
    scene.receive(Receiver, 10, MSG_PEEK);
    scene.exchange();
    scene.receive(Receiver, 10, MSG_PEEK);
    Ok(())
}

fn peek_at_the_end(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "last", 0);
    scene.shut_down(Sender, libc::SHUT_WR);
    scene.receive(Receiver, 10, MSG_PEEK);
    scene.receive(Receiver, 10, 0);
    scene.receive(Receiver, 10, MSG_PEEK);
    scene.receive(Receiver, 10, 0);
    Ok(())
}

fn peek_of_much(scene: &mut Scene) -> Result<()> {
    for size in [10_000, 1, 20_000] {
        scene.write(Sender, size);
    }
    scene.receive(Receiver, 40_000, MSG_PEEK);
    scene.receive(Receiver, 10_000, 0);
    scene.receive(Receiver, 40_000, MSG_PEEK);
    scene.receive_all(Receiver, 20_001);
    Ok(())
}

fn peek_of_no_bytes(scene: &mut Scene) -> Result<()> {
    scene.receive(Receiver, 0, MSG_PEEK);
    let _ = scene.send(Sender, "some", 0);
    scene.receive(Receiver, 0, MSG_PEEK);
    scene.receive(Receiver, 10, 0);
    Ok(())
}

fn peek_waits_for_all_without_waiting(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "half", 0);
    scene.receive(Receiver, 8, MSG_PEEK | MSG_WAITALL);
    scene.receive(Receiver, 8, MSG_PEEK | MSG_WAITALL);
    scene.receive(Receiver, 8, 0);
    Ok(())
}

fn peek_and_truncate(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "truncated", 0);
    scene.receive(Receiver, 4, MSG_PEEK | MSG_TRUNC);
    scene.receive(Receiver, 100, MSG_PEEK | MSG_TRUNC);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn peek_into_pieces(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "abcdef", 0);
    let _ = scene.send(Sender, "ghijkl", 0);
    scene.receive_message(Receiver, &[1, 2, 0, 5, 10], MSG_PEEK);
    scene.receive_message(Receiver, &[3, 3, 3, 3, 3], 0);
    Ok(())
}

fn peek_again_after_more_came(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "first", 0);
    scene.receive(Receiver, 100, MSG_PEEK);
    scene.receive(Receiver, 2, 0);
    let _ = scene.send(Sender, "second", 0);
    scene.receive(Receiver, 100, MSG_PEEK);
    scene.receive(Receiver, 100, 0);
    scene.exchange();
    Ok(())
}

fn peek_offset_moves_on(scene: &mut Scene) -> Result<()> {
    scene.get(Receiver, SO_PEEK_OFF);
    let _ = scene.set(Receiver, SO_PEEK_OFF, 0);
    let _ = scene.send(Sender, "abcdefgh", 0);
    scene.receive(Receiver, 3, MSG_PEEK);
    scene.receive(Receiver, 3, MSG_PEEK);
    scene.get(Receiver, SO_PEEK_OFF);
    scene.receive(Receiver, 2, 0);
    scene.get(Receiver, SO_PEEK_OFF);
    scene.receive(Receiver, 3, MSG_PEEK);
    let _ = scene.set(Receiver, SO_PEEK_OFF, -1);
    scene.receive(Receiver, 100, MSG_PEEK);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn peek_offset_set_while_bytes_wait(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "waiting bytes", 0);
    let _ = scene.set(Receiver, SO_PEEK_OFF, 8);
    scene.receive(Receiver, 100, MSG_PEEK);
    scene.get(Receiver, SO_PEEK_OFF);
    let _ = scene.send(Sender, " and more", 0);
    scene.receive(Receiver, 100, MSG_PEEK);
    scene.receive(Receiver, 100, 0);
    scene.get(Receiver, SO_PEEK_OFF);
    Ok(())
}

fn peek_offset_beyond_what_is_there(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Receiver, SO_PEEK_OFF, 100);
    let _ = scene.send(Sender, "few", 0);
    scene.receive(Receiver, 100, MSG_PEEK);
    scene.receive(Receiver, 100, 0);
    scene.get(Receiver, SO_PEEK_OFF);
    Ok(())
}
