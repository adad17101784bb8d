//! Options that are changed while the connection runs, with bytes before and after.

use anyhow::Result;
use libc::POLLIN;

use crate::Who::{Receiver, Sender};
use crate::options::*;
use crate::{behaviours, Scene};

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
fn set_live(scene: &mut Scene, option: SocketOption, value: i32) {
    let _ = scene.send(Sender, "before ", 0);
    let _ = scene.set(Receiver, option, value);
    scene.get(Receiver, option);
    let _ = scene.send(Sender, "after", 0);
    scene.poll(Receiver, POLLIN);
    scene.receive(Receiver, 100, 0);
    let _ = scene.set(Sender, option, value);
    scene.get(Sender, option);
    scene.exchange();
}

/// A small window empties a large send buffer in minutes, on plain TCP too.
fn little_to_send(scene: &mut Scene) {
    let _ = scene.set(Sender, SO_SNDBUF, 10_000);
}

fn smaller_receive_buffer(scene: &mut Scene) -> Result<()> {
    set_live(scene, SO_RCVBUF, 5000);
    for _ in 0..20 {
        scene.write(Sender, 1000);
        scene.receive_all(Receiver, 1000);
    }
    Ok(())
}

fn smaller_receive_buffer_with_bytes_waiting(scene: &mut Scene) -> Result<()> {
    little_to_send(scene);
    scene.write(Sender, 30_000);
    let _ = scene.set(Receiver, SO_RCVBUF, 3000);
    let start = scene.made();
    let filled = scene.fill(Sender, 1000);
    scene.receive_all(Receiver, 30_000);
    scene.receive_filled(Receiver, start, filled);
    scene.wait(Sender, libc::POLLOUT);
    scene.exchange();
    Ok(())
}

fn larger_receive_buffer(scene: &mut Scene) -> Result<()> {
    set_live(scene, SO_RCVBUF, 100_000);
    scene.write(Sender, 60_000);
    scene.receive_all(Receiver, 60_000);
    Ok(())
}

fn tiny_receive_buffer_and_a_large_message(scene: &mut Scene) -> Result<()> {
    little_to_send(scene);
    let _ = scene.set(Receiver, SO_RCVBUF, 1);
    scene.get(Receiver, SO_RCVBUF);
    let start = scene.made();
    let filled = scene.fill(Sender, 60_000);
    scene.receive_filled(Receiver, start, filled);
    scene.wait(Sender, libc::POLLOUT);
    scene.exchange();
    Ok(())
}

fn window_clamp(scene: &mut Scene) -> Result<()> {
    little_to_send(scene);
    set_live(scene, TCP_WINDOW_CLAMP, 4000);
    let start = scene.made();
    let filled = scene.fill(Sender, 1000);
    scene.receive_filled(Receiver, start, filled);
    scene.wait(Sender, libc::POLLOUT);
    scene.exchange();
    Ok(())
}

fn smaller_send_buffer(scene: &mut Scene) -> Result<()> {
    little_to_send(scene);
    set_live(scene, SO_SNDBUF, 5000);
    let start = scene.made();
    let filled = scene.fill(Sender, 1000);
    scene.receive_filled(Receiver, start, filled);
    scene.wait(Sender, libc::POLLOUT);
    scene.exchange();
    Ok(())
}

fn busy_poll(scene: &mut Scene) -> Result<()> {
    set_live(scene, SO_BUSY_POLL, 50);
    set_live(scene, SO_PREFER_BUSY_POLL, 1);
    scene.receive(Receiver, 10, 0);
    Ok(())
}

fn keep_alive(scene: &mut Scene) -> Result<()> {
    for (option, value) in [(SO_KEEPALIVE, 1), (TCP_KEEPIDLE, 1), (TCP_KEEPINTVL, 1), (TCP_KEEPCNT, 2)] {
        set_live(scene, option, value);
    }
    // Probes go by TCP and are answered there.
    std::thread::sleep(std::time::Duration::from_millis(1200));
    scene.poll_all(Receiver);
    scene.exchange();
    Ok(())
}

fn priority_and_mark(scene: &mut Scene) -> Result<()> {
    set_live(scene, SO_PRIORITY, 4);
    set_live(scene, SO_MARK, 77);
    Ok(())
}

fn pacing(scene: &mut Scene) -> Result<()> {
    set_live(scene, SO_MAX_PACING_RATE, 1_000_000_000);
    scene.write(Sender, 20_000);
    scene.receive_all(Receiver, 20_000);
    Ok(())
}

fn incoming_cpu(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Receiver, SO_INCOMING_CPU, 0);
    scene.exchange();
    Ok(())
}

fn quick_acknowledgements(scene: &mut Scene) -> Result<()> {
    for on in [0, 1] {
        let _ = scene.set(Receiver, TCP_QUICKACK, on);
        let _ = scene.send(Sender, "bytes", 0);
        scene.receive(Receiver, 10, 0);
        scene.exchange();
    }
    Ok(())
}

fn user_time_out(scene: &mut Scene) -> Result<()> {
    set_live(scene, TCP_USER_TIMEOUT, 500);
    std::thread::sleep(std::time::Duration::from_millis(600));
    scene.poll_all(Sender);
    scene.exchange();
    Ok(())
}

fn maximum_segment(scene: &mut Scene) -> Result<()> {
    set_live(scene, TCP_MAXSEG, 600);
    scene.write(Sender, 5000);
    scene.receive_all(Receiver, 5000);
    Ok(())
}

fn repair_mode_is_a_refusal_or_not(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Receiver, TCP_REPAIR, 1);
    scene.receive(Receiver, 10, 0);
    // -1: off, without a window probe.
    let _ = scene.set(Receiver, TCP_REPAIR, -1);
    scene.exchange();
    Ok(())
}

fn type_of_service(scene: &mut Scene) -> Result<()> {
    set_live(scene, IP_TOS, 0x10);
    set_live(scene, IP_TTL, 33);
    Ok(())
}

fn receive_errors(scene: &mut Scene) -> Result<()> {
    set_live(scene, IP_RECVERR, 1);
    scene.reset(Sender);
    scene.receive(Receiver, 10, 0);
    scene.receive_message(Receiver, &[10], libc::MSG_ERRQUEUE);
    Ok(())
}
