//! Options that are changed while the connection runs, with bytes before and after.

use anyhow::Result;
use libc::POLLIN;

use crate::Who::{Receiver, Sender};
use crate::options::*;
use crate::{behaviours, Session};

behaviours! {
    "socket(7) SO_RCVBUF":
        smaller_receive_buffer,
        smaller_receive_buffer_with_bytes_waiting,
        larger_receive_buffer,
        tiny_receive_buffer_and_a_large_message,
        window_clamp,
        smaller_send_buffer;
    "socket(7)":
        busy_poll,
        keep_alive,
        priority_and_mark,
        pacing,
        incoming_cpu;
    "tcp(7)":
        quick_acknowledgements,
        user_time_out,
        maximum_segment,
        repair_mode_is_a_refusal_or_not;
    "ip(7)":
        type_of_service,
        receive_errors;
}

/// Bytes, the option, bytes that wait while it is set, bytes again.
fn set_live(session: &mut Session, option: SocketOption, value: i32) {
    let _ = session.send(Sender, "before ", 0);
    let _ = session.set(Receiver, option, value);
    session.get(Receiver, option);
    let _ = session.send(Sender, "after", 0);
    session.poll(Receiver, POLLIN);
    session.receive(Receiver, 100, 0);
    let _ = session.set(Sender, option, value);
    session.get(Sender, option);
    session.exchange();
}

/// A small window empties a large send buffer in minutes, on plain TCP too.
fn little_to_send(session: &mut Session) {
    let _ = session.set(Sender, SO_SNDBUF, 10_000);
}

fn smaller_receive_buffer(session: &mut Session) -> Result<()> {
    set_live(session, SO_RCVBUF, 5000);
    for _ in 0..20 {
        session.write(Sender, 1000);
        session.receive_all(Receiver, 1000);
    }
    Ok(())
}

fn smaller_receive_buffer_with_bytes_waiting(session: &mut Session) -> Result<()> {
    little_to_send(session);
    session.write(Sender, 30_000);
    let _ = session.set(Receiver, SO_RCVBUF, 3000);
    let start = session.made();
    let filled = session.fill(Sender, 1000);
    session.receive_all(Receiver, 30_000);
    session.receive_filled(Receiver, start, filled);
    session.wait(Sender, libc::POLLOUT);
    session.exchange();
    Ok(())
}

fn larger_receive_buffer(session: &mut Session) -> Result<()> {
    set_live(session, SO_RCVBUF, 100_000);
    session.write(Sender, 60_000);
    session.receive_all(Receiver, 60_000);
    Ok(())
}

fn tiny_receive_buffer_and_a_large_message(session: &mut Session) -> Result<()> {
    little_to_send(session);
    let _ = session.set(Receiver, SO_RCVBUF, 1);
    session.get(Receiver, SO_RCVBUF);
    let start = session.made();
    let filled = session.fill(Sender, 60_000);
    session.receive_filled(Receiver, start, filled);
    session.wait(Sender, libc::POLLOUT);
    session.exchange();
    Ok(())
}

fn window_clamp(session: &mut Session) -> Result<()> {
    little_to_send(session);
    set_live(session, TCP_WINDOW_CLAMP, 4000);
    let start = session.made();
    let filled = session.fill(Sender, 1000);
    session.receive_filled(Receiver, start, filled);
    session.wait(Sender, libc::POLLOUT);
    session.exchange();
    Ok(())
}

fn smaller_send_buffer(session: &mut Session) -> Result<()> {
    little_to_send(session);
    set_live(session, SO_SNDBUF, 5000);
    let start = session.made();
    let filled = session.fill(Sender, 1000);
    session.receive_filled(Receiver, start, filled);
    session.wait(Sender, libc::POLLOUT);
    session.exchange();
    Ok(())
}

fn busy_poll(session: &mut Session) -> Result<()> {
    set_live(session, SO_BUSY_POLL, 50);
    set_live(session, SO_PREFER_BUSY_POLL, 1);
    session.receive(Receiver, 10, 0);
    Ok(())
}

fn keep_alive(session: &mut Session) -> Result<()> {
    for (option, value) in [(SO_KEEPALIVE, 1), (TCP_KEEPIDLE, 1), (TCP_KEEPINTVL, 1), (TCP_KEEPCNT, 2)] {
        set_live(session, option, value);
    }
    // Probes go by TCP and are answered there.
    std::thread::sleep(std::time::Duration::from_millis(1200));
    session.poll_all(Receiver);
    session.exchange();
    Ok(())
}

fn priority_and_mark(session: &mut Session) -> Result<()> {
    set_live(session, SO_PRIORITY, 4);
    set_live(session, SO_MARK, 77);
    Ok(())
}

fn pacing(session: &mut Session) -> Result<()> {
    set_live(session, SO_MAX_PACING_RATE, 1_000_000_000);
    session.write(Sender, 20_000);
    session.receive_all(Receiver, 20_000);
    Ok(())
}

fn incoming_cpu(session: &mut Session) -> Result<()> {
    let _ = session.set(Receiver, SO_INCOMING_CPU, 0);
    session.exchange();
    Ok(())
}

fn quick_acknowledgements(session: &mut Session) -> Result<()> {
    for on in [0, 1] {
        let _ = session.set(Receiver, TCP_QUICKACK, on);
        let _ = session.send(Sender, "bytes", 0);
        session.receive(Receiver, 10, 0);
        session.exchange();
    }
    Ok(())
}

fn user_time_out(session: &mut Session) -> Result<()> {
    set_live(session, TCP_USER_TIMEOUT, 500);
    std::thread::sleep(std::time::Duration::from_millis(600));
    session.poll_all(Sender);
    session.exchange();
    Ok(())
}

fn maximum_segment(session: &mut Session) -> Result<()> {
    set_live(session, TCP_MAXSEG, 600);
    session.write(Sender, 5000);
    session.receive_all(Receiver, 5000);
    Ok(())
}

fn repair_mode_is_a_refusal_or_not(session: &mut Session) -> Result<()> {
    let _ = session.set(Receiver, TCP_REPAIR, 1);
    session.receive(Receiver, 10, 0);
    // -1: off, without a window probe.
    let _ = session.set(Receiver, TCP_REPAIR, -1);
    session.exchange();
    Ok(())
}

fn type_of_service(session: &mut Session) -> Result<()> {
    set_live(session, IP_TOS, 0x10);
    set_live(session, IP_TTL, 33);
    Ok(())
}

fn receive_errors(session: &mut Session) -> Result<()> {
    set_live(session, IP_RECVERR, 1);
    session.reset(Sender);
    session.receive(Receiver, 10, 0);
    session.receive_message(Receiver, &[10], libc::MSG_ERRQUEUE);
    Ok(())
}
