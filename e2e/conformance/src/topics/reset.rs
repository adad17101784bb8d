//! Resets, and errno at each kind of end and on the second call after it.

use anyhow::Result;
use libc::{MSG_NOSIGNAL, MSG_PEEK, POLLERR, POLLIN};

use crate::Who::{self, Receiver, Sender};
use crate::options::{FIONREAD, SO_ERROR, SocketOption};
use crate::{behaviours, names, sys, Scene};
use super::close::aftermath;

behaviours! {
    "tcp(7) ECONNRESET":
        reset_of_a_quiet_connection,
        reset_with_bytes_waiting,
        reset_seen_by_poll_first,
        reset_seen_by_so_error_first,
        reset_seen_by_a_send_first,
        reset_seen_by_a_peek_first,
        reset_after_a_half_close,
        reset_counts_nothing;
    "connect(2)":
        disconnect_by_connecting_to_nowhere,
        disconnect_and_let_the_other_send,
        disconnect_and_connect_to_somebody_else,
        connect_again,
        listen_bind_and_accept_on_a_connection;
    "socket(7) SO_ERROR":
        errors_are_told_once;
}

fn reset_of_a_quiet_connection(scene: &mut Scene) -> Result<()> {
    scene.reset(Sender);
    scene.state(Receiver);
    aftermath(scene, Receiver);
    Ok(())
}

fn reset_with_bytes_waiting(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "before the reset", 0);
    scene.reset(Sender);
    aftermath(scene, Receiver);
    Ok(())
}

fn reset_seen_by_poll_first(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "before", 0);
    scene.reset(Sender);
    scene.wait(Receiver, POLLERR);
    scene.poll(Receiver, POLLIN);
    scene.receive(Receiver, 3, 0);
    scene.receive(Receiver, 10, 0);
    scene.receive(Receiver, 10, 0);
    scene.poll_all(Receiver);
    Ok(())
}

fn reset_seen_by_so_error_first(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "before", 0);
    scene.reset(Sender);
    scene.get(Receiver, SO_ERROR);
    scene.receive(Receiver, 10, 0);
    scene.receive(Receiver, 10, 0);
    scene.get(Receiver, SO_ERROR);
    Ok(())
}

fn reset_seen_by_a_send_first(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "before", 0);
    scene.reset(Sender);
    let _ = scene.send(Receiver, "answer", MSG_NOSIGNAL);
    let _ = scene.send(Receiver, "answer", MSG_NOSIGNAL);
    scene.receive(Receiver, 10, 0);
    scene.receive(Receiver, 10, 0);
    Ok(())
}

fn reset_seen_by_a_peek_first(scene: &mut Scene) -> Result<()> {
    scene.reset(Sender);
    scene.receive(Receiver, 10, MSG_PEEK);
    scene.receive(Receiver, 10, MSG_PEEK);
    scene.receive(Receiver, 10, 0);
    Ok(())
}

fn reset_after_a_half_close(scene: &mut Scene) -> Result<()> {
    scene.shut_down(Receiver, libc::SHUT_WR);
    let _ = scene.send(Sender, "half", 0);
    scene.reset(Sender);
    aftermath(scene, Receiver);
    Ok(())
}

fn reset_counts_nothing(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "waiting", 0);
    scene.reset(Sender);
    scene.ask(Receiver, FIONREAD);
    scene.receive(Receiver, 100, 0);
    scene.ask(Receiver, FIONREAD);
    Ok(())
}

/// An address of a family, as connect(2) and bind(2) take it.
fn address(family: i32) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: family as u16,
        sin_port: 1u16.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_be_bytes([127, 0, 0, 1]).to_be() },
        sin_zero: [0; 8],
    }
}

fn connect(scene: &mut Scene, who: Who, family: i32) {
    let answer = sys::connect(scene.fd(who), &address(family));
    scene.tell(who, format_args!("connect(family {family}) -> {}", names::answer(answer)));
}

/// connect(AF_UNSPEC) ends a TCP connection with an RST and makes the socket new.
fn disconnect_by_connecting_to_nowhere(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "waiting", 0);
    let _ = scene.send(Receiver, "never read", 0);
    scene.leave(Sender, |scene| connect(scene, Sender, libc::AF_UNSPEC));
    scene.state(Sender);
    scene.poll_all(Sender);
    scene.receive(Sender, 10, 0);
    let _ = scene.send(Sender, "nobody", MSG_NOSIGNAL);
    aftermath(scene, Receiver);
    Ok(())
}

fn disconnect_and_let_the_other_send(scene: &mut Scene) -> Result<()> {
    scene.leave(Sender, |scene| connect(scene, Sender, libc::AF_UNSPEC));
    for _ in 0..3 {
        let _ = scene.send(Receiver, "nobody listens", MSG_NOSIGNAL);
        scene.receive(Sender, 100, 0);
        scene.poll_all(Sender);
    }
    Ok(())
}

/// The same socket on a new connection: what the old one brought and nobody read must be gone.
fn disconnect_and_connect_to_somebody_else(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Receiver, "of the old connection", 0);
    scene.leave(Sender, |scene| connect(scene, Sender, libc::AF_UNSPEC));
    let _ = scene.send(Receiver, "sent too late", MSG_NOSIGNAL);
    // The other end becomes a listener: it lives in the same network namespace.
    connect(scene, Receiver, libc::AF_UNSPEC);
    let listener = scene.fd(Receiver);
    let any = libc::sockaddr_in { sin_port: 0, ..address(libc::AF_INET) };
    let _ = sys::bind(listener, &any);
    let listens = sys::listen(listener);
    let port = nix::sys::socket::getsockname::<nix::sys::socket::SockaddrIn>(listener)?.port();
    let there = libc::sockaddr_in { sin_port: port.to_be(), ..any };
    let connects = sys::connect(scene.fd(Sender), &there);
    let accepted = sys::poll(listener, POLLIN, 1000).and_then(|_| sys::accept(listener));
    let shown = [listens.map(|_| 0), connects, accepted.as_ref().map(|_| 0).map_err(|error| *error)].map(names::answer);
    scene.note(format!("listen, connect, accept -> {shown:?}"));
    if let Ok(new) = accepted {
        scene.adopt(Receiver, new);
        scene.poll_all(Sender);
        scene.receive(Sender, 100, 0);
        scene.exchange();
        scene.exchange();
    }
    Ok(())
}

fn connect_again(scene: &mut Scene) -> Result<()> {
    connect(scene, Sender, libc::AF_INET);
    connect(scene, Receiver, libc::AF_INET);
    scene.exchange();
    Ok(())
}

fn listen_bind_and_accept_on_a_connection(scene: &mut Scene) -> Result<()> {
    for who in Who::BOTH {
        let fd = scene.fd(who);
        for (name, answer) in
            [("listen", sys::listen(fd)), ("bind", sys::bind(fd, &address(libc::AF_INET))), ("accept", sys::accept(fd).map(|_| 0))]
        {
            scene.tell(who, format_args!("{name} -> {}", names::answer(answer)));
        }
    }
    scene.exchange();
    Ok(())
}

fn errors_are_told_once(scene: &mut Scene) -> Result<()> {
    let error: SocketOption = SO_ERROR;
    scene.get(Receiver, error);
    scene.close(Sender);
    scene.get(Receiver, error);
    let _ = scene.send(Receiver, "provokes a reset", MSG_NOSIGNAL);
    scene.wait(Receiver, libc::POLLHUP);
    scene.get(Receiver, error);
    scene.get(Receiver, error);
    let _ = scene.send(Receiver, "fails", MSG_NOSIGNAL);
    scene.receive(Receiver, 10, 0);
    Ok(())
}
