//! Receive and transmit time stamps.

use std::time::{Duration, Instant};

use anyhow::Result;
use libc::{MSG_ERRQUEUE, SOF_TIMESTAMPING_OPT_ID, SOF_TIMESTAMPING_OPT_TSONLY, SOF_TIMESTAMPING_RX_SOFTWARE, SOF_TIMESTAMPING_SOFTWARE, SOF_TIMESTAMPING_TX_SCHED, SOF_TIMESTAMPING_TX_SOFTWARE};

use crate::Who::{Receiver, Sender};
use crate::options::{SO_TIMESTAMP, SO_TIMESTAMPING, SO_TIMESTAMPNS, SocketOption};
use crate::{behaviours, sys, Session};

behaviours! {
    "socket(7) SO_TIMESTAMP":
        time_stamp_with_each_message,
        time_stamp_in_nanoseconds,
        time_stamp_of_two_messages_at_once,
        time_stamp_turned_off_again;
    "socket(7) SO_TIMESTAMPING":
        time_stamping_of_what_is_received,
        time_stamping_of_what_is_sent;
}

/// The kernel begins to stamp packets a moment after the first socket asks for it. Sends bytes until one has a stamp.
fn wait_for_stamps(session: &mut Session) {
    let start = Instant::now();
    let limit = Duration::from_millis(500);
    let stamped = loop {
        let _ = sys::send(session.fd(Sender), b"x", 0);
        let _ = sys::poll(session.fd(Receiver), libc::POLLIN, 100);
        let mut byte = [0];
        let (_, extra) = sys::receive_message(session.fd(Receiver), &mut [sys::piece(&mut byte)], 512, 0);
        if !extra.control.is_empty() {
            break true;
        }
        if start.elapsed() > limit {
            break false;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    session.note(format!("stamps begin to come: {stamped}"));
}

fn stamped(session: &mut Session, option: SocketOption, value: u32) {
    let _ = session.set(Receiver, option, value);
    wait_for_stamps(session);
    let _ = session.send(Sender, "stamped", 0);
    session.receive_message(Receiver, &[4], 0);
    session.receive_message(Receiver, &[100], 0);
    session.receive_message(Receiver, &[100], 0);
    session.get(Receiver, option);
    session.exchange();
}

fn time_stamp_with_each_message(session: &mut Session) -> Result<()> {
    stamped(session, SO_TIMESTAMP, 1);
    Ok(())
}

fn time_stamp_in_nanoseconds(session: &mut Session) -> Result<()> {
    stamped(session, SO_TIMESTAMPNS, 1);
    Ok(())
}

fn time_stamp_of_two_messages_at_once(session: &mut Session) -> Result<()> {
    let _ = session.set(Receiver, SO_TIMESTAMPNS, 1);
    wait_for_stamps(session);
    let _ = session.send(Sender, "one", 0);
    let _ = session.send(Sender, "two", 0);
    session.receive_message(Receiver, &[100], 0);
    Ok(())
}

fn time_stamp_turned_off_again(session: &mut Session) -> Result<()> {
    let _ = session.set(Receiver, SO_TIMESTAMP, 1);
    wait_for_stamps(session);
    let _ = session.set(Receiver, SO_TIMESTAMP, 0);
    let _ = session.send(Sender, "not stamped", 0);
    session.receive_message(Receiver, &[100], 0);
    session.exchange();
    Ok(())
}

fn time_stamping_of_what_is_received(session: &mut Session) -> Result<()> {
    stamped(session, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE);
    Ok(())
}

/// The stamps of what was sent come through the error queue.
fn time_stamping_of_what_is_sent(session: &mut Session) -> Result<()> {
    let flags = SOF_TIMESTAMPING_TX_SCHED
        | SOF_TIMESTAMPING_TX_SOFTWARE
        | SOF_TIMESTAMPING_SOFTWARE
        | SOF_TIMESTAMPING_OPT_ID
        | SOF_TIMESTAMPING_OPT_TSONLY;
    let _ = session.set(Sender, SO_TIMESTAMPING, flags);
    for text in ["one", "two"] {
        let _ = session.send(Sender, text, 0);
        session.wait(Sender, libc::POLLERR);
        session.receive_message(Sender, &[10], MSG_ERRQUEUE);
        session.receive(Receiver, 10, 0);
    }
    Ok(())
}
