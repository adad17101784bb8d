//! Signals that come while a call waits.

use std::time::Duration;

use anyhow::Result;
use libc::{MSG_DONTWAIT, MSG_WAITALL};

use crate::Who::{Receiver, Sender};
use crate::options::SO_RCVTIMEO;
use crate::{behaviours, names, sys, Scene};
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

fn signal_ends_a_receive(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    scene.set_time_out(Receiver, SO_RCVTIMEO, Duration::ZERO);
    let call = receiving(scene, 10, 0);
    scene.meanwhile("recv", call, |_, waiting| waiting.interrupt(false));
    scene.exchange();
    Ok(())
}

fn signal_ends_a_receive_with_a_time_out(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    let call = receiving(scene, 10, 0);
    // A call with a time-out is never restarted.
    scene.meanwhile("recv", call, |_, waiting| waiting.interrupt(true));
    scene.exchange();
    Ok(())
}

fn signal_and_the_call_goes_on(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    scene.set_time_out(Receiver, SO_RCVTIMEO, Duration::ZERO);
    let call = receiving(scene, 10, 0);
    scene.meanwhile("recv", call, |scene, waiting| {
        waiting.interrupt(true);
        waiting.interrupt(true);
        let _ = scene.send(Sender, "at last", 0);
    });
    Ok(())
}

fn signal_after_a_part(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    scene.set_time_out(Receiver, SO_RCVTIMEO, Duration::ZERO);
    let _ = scene.send(Sender, "part", 0);
    let call = receiving(scene, 10, MSG_WAITALL);
    scene.meanwhile("wait for 10", call, |_, waiting| waiting.interrupt(true));
    scene.receive(Receiver, 10, MSG_DONTWAIT);
    Ok(())
}

fn signal_and_wait_all_goes_on(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    scene.set_time_out(Receiver, SO_RCVTIMEO, Duration::ZERO);
    let call = receiving(scene, 10, MSG_WAITALL);
    scene.meanwhile("wait for 10", call, |scene, waiting| {
        waiting.interrupt(true);
        let _ = scene.send(Sender, "first", 0);
        let _ = scene.send(Sender, "second", 0);
    });
    scene.receive(Receiver, 10, MSG_DONTWAIT);
    Ok(())
}

fn signal_ends_a_poll(scene: &mut Scene) -> Result<()> {
    let fd = scene.fd(Receiver);
    let call = move || names::answer(sys::poll(fd, libc::POLLIN, 2000));
    scene.meanwhile("poll", call, |_, waiting| waiting.interrupt(true));
    scene.exchange();
    Ok(())
}

fn signal_ends_a_send(scene: &mut Scene) -> Result<()> {
    let start = scene.made();
    let filled = super::full::fill_and_turn_blocking(scene);
    let fd = scene.fd(Sender);
    let call = move || names::answer(sys::send(fd, b"no room", libc::MSG_NOSIGNAL));
    scene.meanwhile("send", call, |_, waiting| waiting.interrupt(false));
    scene.receive_filled(Receiver, start, filled);
    scene.exchange();
    Ok(())
}

/// F_SETOWN and O_ASYNC: the thread itself is told of each arrival.
fn signal_when_bytes_come(scene: &mut Scene) -> Result<()> {
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
    let fd = scene.fd(Receiver);
    let owned = sys::control(fd, libc::F_SETOWN, std::process::id() as i32);
    let flags = sys::control(fd, libc::F_SETFL, libc::O_NONBLOCK | libc::O_ASYNC);
    scene.tell(Receiver, format_args!("asks for SIGIO -> {}, {}", names::answer(owned), names::answer(flags)));
    for text in ["one", "two"] {
        let _ = scene.send(Sender, text, 0);
        let start = std::time::Instant::now();
        while CAME.load(Ordering::Relaxed) == 0 && start.elapsed() < Duration::from_millis(500) {
            std::thread::sleep(Duration::from_millis(1));
        }
        scene.note(format!("SIGIO came: {}", CAME.swap(0, Ordering::Relaxed) > 0));
        scene.receive(Receiver, 10, 0);
        CAME.store(0, Ordering::Relaxed);
    }
    scene.shut_down(Sender, libc::SHUT_WR);
    std::thread::sleep(Duration::from_millis(2));
    scene.note(format!("SIGIO came at the end: {}", CAME.load(Ordering::Relaxed) > 0));
    let _ = sys::control(fd, libc::F_SETFL, libc::O_NONBLOCK);
    // SAFETY: what was there before.
    unsafe { sigaction(Signal::SIGIO, &before) }?;
    Ok(())
}
