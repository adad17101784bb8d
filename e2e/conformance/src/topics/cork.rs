//! What a sender holds back: TCP_CORK, MSG_MORE, TCP_NODELAY.

use anyhow::Result;
use libc::{MSG_MORE, POLLIN};

use crate::Who::{Receiver, Sender};
use crate::options::{FIONREAD, SIOCOUTQNSD, TCP_CORK, TCP_NODELAY};
use crate::{behaviours, Session};

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

fn cork_holds_back_until_it_is_pulled(session: &mut Session) -> Result<()> {
    let _ = session.set(Sender, TCP_CORK, 1);
    let _ = session.send(Sender, "head ", 0);
    session.poll(Receiver, POLLIN);
    let _ = session.send(Sender, "body", 0);
    session.poll(Receiver, POLLIN);
    let _ = session.set(Sender, TCP_CORK, 0);
    session.wait(Receiver, POLLIN);
    session.receive(Receiver, 100, 0);
    session.exchange();
    Ok(())
}

fn cork_set_twice(session: &mut Session) -> Result<()> {
    for round in ["first", "second"] {
        session.get(Sender, TCP_CORK);
        let _ = session.set(Sender, TCP_CORK, 1);
        session.get(Sender, TCP_CORK);
        let _ = session.send(Sender, round, 0);
        session.receive(Receiver, 100, 0);
        let _ = session.set(Sender, TCP_CORK, 0);
        session.receive_all(Receiver, round.len());
        session.exchange();
    }
    Ok(())
}

fn cork_between_messages(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "before ", 0);
    let _ = session.set(Sender, TCP_CORK, 1);
    let _ = session.send(Sender, "corked ", 0);
    session.receive(Receiver, 100, 0);
    let _ = session.set(Sender, TCP_CORK, 0);
    let _ = session.send(Sender, "after", 0);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn cork_of_a_large_message(session: &mut Session) -> Result<()> {
    let _ = session.set(Sender, TCP_CORK, 1);
    session.write(Sender, 100_000);
    session.write(Sender, 10);
    let _ = session.set(Sender, TCP_CORK, 0);
    session.receive_all(Receiver, 100_010);
    Ok(())
}

fn cork_and_the_end(session: &mut Session) -> Result<()> {
    let _ = session.set(Sender, TCP_CORK, 1);
    let _ = session.send(Sender, "corked", 0);
    session.poll(Receiver, POLLIN);
    session.shut_down(Sender, libc::SHUT_WR);
    session.wait(Receiver, POLLIN);
    session.receive(Receiver, 100, 0);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn cork_and_close(session: &mut Session) -> Result<()> {
    let _ = session.set(Sender, TCP_CORK, 1);
    let _ = session.send(Sender, "corked", 0);
    session.close(Sender);
    session.wait(Receiver, POLLIN);
    session.receive(Receiver, 100, 0);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn cork_pulled_by_no_delay(session: &mut Session) -> Result<()> {
    let _ = session.set(Sender, TCP_CORK, 1);
    let _ = session.send(Sender, "corked", 0);
    session.receive(Receiver, 100, 0);
    let _ = session.set(Sender, TCP_NODELAY, 1);
    session.wait(Receiver, POLLIN);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn cork_on_the_answering_side(session: &mut Session) -> Result<()> {
    let _ = session.set(Receiver, TCP_CORK, 1);
    let _ = session.send(Sender, "question", 0);
    session.receive(Receiver, 100, 0);
    let _ = session.send(Receiver, "head ", 0);
    let _ = session.send(Receiver, "body", 0);
    session.receive(Sender, 100, 0);
    let _ = session.set(Receiver, TCP_CORK, 0);
    session.wait(Sender, POLLIN);
    session.receive(Sender, 100, 0);
    Ok(())
}

fn more_holds_back_until_the_last(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "head ", MSG_MORE);
    session.poll(Receiver, POLLIN);
    let _ = session.send(Sender, "body ", MSG_MORE);
    session.receive(Receiver, 100, 0);
    let _ = session.send(Sender, "tail", 0);
    session.wait(Receiver, POLLIN);
    session.receive(Receiver, 100, 0);
    session.exchange();
    Ok(())
}

fn more_and_the_end(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "head ", MSG_MORE);
    session.receive(Receiver, 100, 0);
    session.shut_down(Sender, libc::SHUT_WR);
    session.wait(Receiver, POLLIN);
    session.receive(Receiver, 100, 0);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn more_and_no_delay(session: &mut Session) -> Result<()> {
    let _ = session.set(Sender, TCP_NODELAY, 1);
    let _ = session.send(Sender, "head ", MSG_MORE);
    session.receive(Receiver, 100, 0);
    let _ = session.send(Sender, "tail", 0);
    session.wait(Receiver, POLLIN);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn more_pulled_by_no_delay(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "head ", MSG_MORE);
    session.poll(Receiver, POLLIN);
    let _ = session.set(Sender, TCP_NODELAY, 1);
    session.wait(Receiver, POLLIN);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn more_of_a_large_message(session: &mut Session) -> Result<()> {
    let bytes = session.bytes(20_000);
    let _ = session.send(Sender, &bytes, MSG_MORE);
    session.poll(Receiver, POLLIN);
    session.write(Sender, 5);
    session.receive_all(Receiver, 20_005);
    Ok(())
}

fn more_without_a_last_one_is_counted(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "held", MSG_MORE);
    session.ask(Sender, SIOCOUTQNSD);
    session.ask(Receiver, FIONREAD);
    let _ = session.send(Sender, " back", 0);
    session.ask(Sender, SIOCOUTQNSD);
    session.ask(Receiver, FIONREAD);
    Ok(())
}

fn no_delay_changes_nothing_here(session: &mut Session) -> Result<()> {
    for on in [1, 0] {
        let _ = session.set(Sender, TCP_NODELAY, on);
        session.get(Sender, TCP_NODELAY);
        session.write(Sender, 3000);
        session.write(Sender, 10);
        session.receive_all(Receiver, 3010);
        session.exchange();
    }
    Ok(())
}
