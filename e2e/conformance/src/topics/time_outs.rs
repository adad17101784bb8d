//! SO_RCVTIMEO, on a descriptor that turned blocking after it was redirected.

use std::time::{Duration, Instant};

use anyhow::Result;
use libc::{MSG_DONTWAIT, MSG_WAITALL};

use crate::Who::{Receiver, Sender};
use crate::options::SO_RCVTIMEO;
use crate::{behaviours, names, sys, Session};

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
fn patient(session: &mut Session, size: usize, flags: i32) {
    let start = Instant::now();
    session.receive(Receiver, size, flags);
    let waited = start.elapsed() >= SHORT;
    session.note(format!("it waited its time: {waited}"));
}

fn time_out_of_nothing(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    session.set_time_out(Receiver, SO_RCVTIMEO, SHORT);
    patient(session, 10, 0);
    patient(session, 10, 0);
    session.exchange();
    patient(session, 10, 0);
    Ok(())
}

fn time_out_is_not_reached(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    session.set_time_out(Receiver, SO_RCVTIMEO, Duration::from_secs(2));
    let call = super::wait_all::receiving(session, 10, 0);
    session.meanwhile("recv", call, |session, _| {
        let _ = session.send(Sender, "in time", 0);
    });
    Ok(())
}

fn time_out_with_a_part(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    session.set_time_out(Receiver, SO_RCVTIMEO, SHORT);
    let _ = session.send(Sender, "part", 0);
    patient(session, 10, MSG_WAITALL);
    patient(session, 10, MSG_WAITALL);
    Ok(())
}

fn time_out_then_bytes(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    session.set_time_out(Receiver, SO_RCVTIMEO, SHORT);
    for text in ["one", "two"] {
        patient(session, 10, 0);
        let _ = session.send(Sender, text, 0);
        session.receive(Receiver, 10, 0);
    }
    Ok(())
}

fn time_out_does_not_touch_what_does_not_wait(session: &mut Session) -> Result<()> {
    session.set_time_out(Receiver, SO_RCVTIMEO, Duration::from_secs(2));
    let start = Instant::now();
    session.receive(Receiver, 10, 0);
    session.set_blocking(Receiver, true);
    session.receive(Receiver, 10, MSG_DONTWAIT);
    let waited = start.elapsed() >= Duration::from_secs(1);
    session.note(format!("it waited: {waited}"));
    Ok(())
}

fn time_out_of_several_messages(session: &mut Session) -> Result<()> {
    session.set_time_out(Receiver, SO_RCVTIMEO, SHORT);
    let _ = session.send(Sender, "bytes", 0);
    session.set_blocking(Receiver, true);
    patient(session, 3, 0);
    patient(session, 3, 0);
    Ok(())
}

fn several_messages_in_their_own_time(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    session.set_time_out(Receiver, SO_RCVTIMEO, SHORT);
    let _ = session.send(Sender, "abcdefgh", 0);
    let (answer, messages) = sys::receive_messages(session.fd(Receiver), &[3, 3, 3, 3], 0);
    let shown: Vec<_> = messages.iter().map(|message| names::bytes(message)).collect();
    session.tell(Receiver, format_args!("recvmmsg -> {} {shown:?}", names::answer(answer)));
    session.receive(Receiver, 10, MSG_DONTWAIT);
    Ok(())
}
