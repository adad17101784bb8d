//! Signals that come while a call waits.

use std::time::Duration;

use anyhow::Result;
use libc::{MSG_DONTWAIT, MSG_WAITALL};

use crate::Who::{Receiver, Sender};
use crate::options::SO_RCVTIMEO;
use crate::{behaviours, names, sys, Session};
use super::wait_all::receiving;

behaviours! {
    "signal(7)":
        signal_ends_a_receive,
        signal_ends_a_receive_with_a_time_out,
        signal_and_the_call_goes_on,
        signal_after_a_part,
        signal_and_wait_all_goes_on,
        signal_ends_a_poll,
        signal_ends_a_send;
    "socket(7) SIGIO":
        signal_when_bytes_come;
}

fn signal_ends_a_receive(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    session.set_time_out(Receiver, SO_RCVTIMEO, Duration::ZERO);
    let call = receiving(session, 10, 0);
    session.meanwhile("recv", call, |_, waiting| waiting.interrupt(false));
    session.exchange();
    Ok(())
}

fn signal_ends_a_receive_with_a_time_out(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    let call = receiving(session, 10, 0);
    // A call with a time-out is never restarted.
    session.meanwhile("recv", call, |_, waiting| waiting.interrupt(true));
    session.exchange();
    Ok(())
}

fn signal_and_the_call_goes_on(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    session.set_time_out(Receiver, SO_RCVTIMEO, Duration::ZERO);
    let call = receiving(session, 10, 0);
    session.meanwhile("recv", call, |session, waiting| {
        waiting.interrupt(true);
        waiting.interrupt(true);
        let _ = session.send(Sender, "at last", 0);
    });
    Ok(())
}

fn signal_after_a_part(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    session.set_time_out(Receiver, SO_RCVTIMEO, Duration::ZERO);
    let _ = session.send(Sender, "part", 0);
    let call = receiving(session, 10, MSG_WAITALL);
    session.meanwhile("wait for 10", call, |_, waiting| waiting.interrupt(true));
    session.receive(Receiver, 10, MSG_DONTWAIT);
    Ok(())
}

fn signal_and_wait_all_goes_on(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    session.set_time_out(Receiver, SO_RCVTIMEO, Duration::ZERO);
    let call = receiving(session, 10, MSG_WAITALL);
    session.meanwhile("wait for 10", call, |session, waiting| {
        waiting.interrupt(true);
        let _ = session.send(Sender, "first", 0);
        let _ = session.send(Sender, "second", 0);
    });
    session.receive(Receiver, 10, MSG_DONTWAIT);
    Ok(())
}

fn signal_ends_a_poll(session: &mut Session) -> Result<()> {
    let fd = session.fd(Receiver);
    let call = move || names::answer(sys::poll(fd, libc::POLLIN, 2000));
    session.meanwhile("poll", call, |_, waiting| waiting.interrupt(true));
    session.exchange();
    Ok(())
}

fn signal_ends_a_send(session: &mut Session) -> Result<()> {
    let start = session.made();
    let filled = super::full::fill_and_turn_blocking(session);
    let fd = session.fd(Sender);
    let call = move || names::answer(sys::send(fd, b"no room", libc::MSG_NOSIGNAL));
    session.meanwhile("send", call, |_, waiting| waiting.interrupt(false));
    session.receive_filled(Receiver, start, filled);
    session.exchange();
    Ok(())
}

/// F_SETOWN and O_ASYNC: the thread itself is told of each arrival.
fn signal_when_bytes_come(session: &mut Session) -> Result<()> {
    use std::sync::atomic::{AtomicU32, Ordering};
    static CAME: AtomicU32 = AtomicU32::new(0);
    extern "C" fn count(_: i32) {
        CAME.fetch_add(1, Ordering::Relaxed);
    }
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    CAME.store(0, Ordering::Relaxed);
    let action = SigAction::new(SigHandler::Handler(count), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler only adds to an atomic number.
    let before = unsafe { sigaction(Signal::SIGIO, &action) }?;
    let fd = session.fd(Receiver);
    let owned = sys::control(fd, libc::F_SETOWN, std::process::id() as i32);
    let flags = sys::control(fd, libc::F_SETFL, libc::O_NONBLOCK | libc::O_ASYNC);
    session.tell(Receiver, format_args!("asks for SIGIO -> {}, {}", names::answer(owned), names::answer(flags)));
    for text in ["one", "two"] {
        let _ = session.send(Sender, text, 0);
        let start = std::time::Instant::now();
        while CAME.load(Ordering::Relaxed) == 0 && start.elapsed() < Duration::from_millis(500) {
            std::thread::sleep(Duration::from_millis(1));
        }
        session.note(format!("SIGIO came: {}", CAME.swap(0, Ordering::Relaxed) > 0));
        session.receive(Receiver, 10, 0);
        CAME.store(0, Ordering::Relaxed);
    }
    session.shut_down(Sender, libc::SHUT_WR);
    std::thread::sleep(Duration::from_millis(2));
    session.note(format!("SIGIO came at the end: {}", CAME.load(Ordering::Relaxed) > 0));
    let _ = sys::control(fd, libc::F_SETFL, libc::O_NONBLOCK);
    // SAFETY: what was there before.
    unsafe { sigaction(Signal::SIGIO, &before) }?;
    Ok(())
}
