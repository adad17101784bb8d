//! What a sender holds back: TCP_CORK, MSG_MORE, TCP_NODELAY.

use anyhow::Result;
use libc::{MSG_MORE, POLLIN};

use crate::Who::{Receiver, Sender};
use crate::options::{FIONREAD, SIOCOUTQNSD, TCP_CORK, TCP_NODELAY};
use crate::{behaviours, Scene};

behaviours! {
    "tcp(7) TCP_CORK":
        cork_holds_back_until_it_is_pulled,
        cork_set_twice,
        cork_between_messages,
        cork_of_a_large_message,
        cork_and_the_end,
        cork_and_close,
        cork_pulled_by_no_delay,
        cork_on_the_answering_side;
    "send(2) MSG_MORE":
        more_holds_back_until_the_last,
        more_and_the_end,
        more_and_no_delay,
        more_pulled_by_no_delay,
        more_of_a_large_message,
        more_without_a_last_one_is_counted;
    "tcp(7) TCP_NODELAY":
        no_delay_changes_nothing_here,
}

fn cork_holds_back_until_it_is_pulled(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Sender, TCP_CORK, 1);
    let _ = scene.send(Sender, "head ", 0);
    scene.poll(Receiver, POLLIN);
    let _ = scene.send(Sender, "body", 0);
    scene.poll(Receiver, POLLIN);
    let _ = scene.set(Sender, TCP_CORK, 0);
    scene.wait(Receiver, POLLIN);
    scene.receive(Receiver, 100, 0);
    scene.exchange();
    Ok(())
}

fn cork_set_twice(scene: &mut Scene) -> Result<()> {
    for round in ["first", "second"] {
        scene.get(Sender, TCP_CORK);
        let _ = scene.set(Sender, TCP_CORK, 1);
        scene.get(Sender, TCP_CORK);
        let _ = scene.send(Sender, round, 0);
        scene.receive(Receiver, 100, 0);
        let _ = scene.set(Sender, TCP_CORK, 0);
        scene.receive_all(Receiver, round.len());
        scene.exchange();
    }
    Ok(())
}

fn cork_between_messages(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "before ", 0);
    let _ = scene.set(Sender, TCP_CORK, 1);
    let _ = scene.send(Sender, "corked ", 0);
    scene.receive(Receiver, 100, 0);
    let _ = scene.set(Sender, TCP_CORK, 0);
    let _ = scene.send(Sender, "after", 0);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn cork_of_a_large_message(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Sender, TCP_CORK, 1);
    scene.write(Sender, 100_000);
    scene.write(Sender, 10);
    let _ = scene.set(Sender, TCP_CORK, 0);
    scene.receive_all(Receiver, 100_010);
    Ok(())
}

fn cork_and_the_end(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Sender, TCP_CORK, 1);
    let _ = scene.send(Sender, "corked", 0);
    scene.poll(Receiver, POLLIN);
    scene.shut_down(Sender, libc::SHUT_WR);
    scene.wait(Receiver, POLLIN);
    scene.receive(Receiver, 100, 0);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn cork_and_close(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Sender, TCP_CORK, 1);
    let _ = scene.send(Sender, "corked", 0);
    scene.close(Sender);
    scene.wait(Receiver, POLLIN);
    scene.receive(Receiver, 100, 0);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn cork_pulled_by_no_delay(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Sender, TCP_CORK, 1);
    let _ = scene.send(Sender, "corked", 0);
    scene.receive(Receiver, 100, 0);
    let _ = scene.set(Sender, TCP_NODELAY, 1);
    scene.wait(Receiver, POLLIN);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn cork_on_the_answering_side(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Receiver, TCP_CORK, 1);
    let _ = scene.send(Sender, "question", 0);
    scene.receive(Receiver, 100, 0);
    let _ = scene.send(Receiver, "head ", 0);
    let _ = scene.send(Receiver, "body", 0);
    scene.receive(Sender, 100, 0);
    let _ = scene.set(Receiver, TCP_CORK, 0);
    scene.wait(Sender, POLLIN);
    scene.receive(Sender, 100, 0);
    Ok(())
}

fn more_holds_back_until_the_last(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "head ", MSG_MORE);
    scene.poll(Receiver, POLLIN);
    let _ = scene.send(Sender, "body ", MSG_MORE);
    scene.receive(Receiver, 100, 0);
    let _ = scene.send(Sender, "tail", 0);
    scene.wait(Receiver, POLLIN);
    scene.receive(Receiver, 100, 0);
    scene.exchange();
    Ok(())
}

fn more_and_the_end(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "head ", MSG_MORE);
    scene.receive(Receiver, 100, 0);
    scene.shut_down(Sender, libc::SHUT_WR);
    scene.wait(Receiver, POLLIN);
    scene.receive(Receiver, 100, 0);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn more_and_no_delay(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Sender, TCP_NODELAY, 1);
    let _ = scene.send(Sender, "head ", MSG_MORE);
    scene.receive(Receiver, 100, 0);
    let _ = scene.send(Sender, "tail", 0);
    scene.wait(Receiver, POLLIN);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn more_pulled_by_no_delay(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "head ", MSG_MORE);
    scene.poll(Receiver, POLLIN);
    let _ = scene.set(Sender, TCP_NODELAY, 1);
    scene.wait(Receiver, POLLIN);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn more_of_a_large_message(scene: &mut Scene) -> Result<()> {
    let bytes = scene.bytes(20_000);
    let _ = scene.send(Sender, &bytes, MSG_MORE);
    scene.poll(Receiver, POLLIN);
    scene.write(Sender, 5);
    scene.receive_all(Receiver, 20_005);
    Ok(())
}

fn more_without_a_last_one_is_counted(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "held", MSG_MORE);
    scene.ask(Sender, SIOCOUTQNSD);
    scene.ask(Receiver, FIONREAD);
    let _ = scene.send(Sender, " back", 0);
    scene.ask(Sender, SIOCOUTQNSD);
    scene.ask(Receiver, FIONREAD);
    Ok(())
}

fn no_delay_changes_nothing_here(scene: &mut Scene) -> Result<()> {
    for on in [1, 0] {
        let _ = scene.set(Sender, TCP_NODELAY, on);
        scene.get(Sender, TCP_NODELAY);
        scene.write(Sender, 3000);
        scene.write(Sender, 10);
        scene.receive_all(Receiver, 3010);
        scene.exchange();
    }
    Ok(())
}
