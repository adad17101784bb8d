//! Resets, and errno at each kind of end and on the second call after it.

use anyhow::Result;
use libc::{MSG_NOSIGNAL, MSG_PEEK, POLLERR, POLLIN};

use crate::Who::{self, Receiver, Sender};
use crate::options::{FIONREAD, SO_ERROR, SocketOption};
use crate::{behaviours, names, sys, Session};
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

fn reset_of_a_quiet_connection(session: &mut Session) -> Result<()> {
    session.reset(Sender);
    session.state(Receiver);
    aftermath(session, Receiver);
    Ok(())
}

fn reset_with_bytes_waiting(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "before the reset", 0);
    session.reset(Sender);
    aftermath(session, Receiver);
    Ok(())
}

fn reset_seen_by_poll_first(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "before", 0);
    session.reset(Sender);
    session.wait(Receiver, POLLERR);
    session.poll(Receiver, POLLIN);
    session.receive(Receiver, 3, 0);
    session.receive(Receiver, 10, 0);
    session.receive(Receiver, 10, 0);
    session.poll_all(Receiver);
    Ok(())
}

fn reset_seen_by_so_error_first(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "before", 0);
    session.reset(Sender);
    session.get(Receiver, SO_ERROR);
    session.receive(Receiver, 10, 0);
    session.receive(Receiver, 10, 0);
    session.get(Receiver, SO_ERROR);
    Ok(())
}

fn reset_seen_by_a_send_first(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "before", 0);
    session.reset(Sender);
    let _ = session.send(Receiver, "answer", MSG_NOSIGNAL);
    let _ = session.send(Receiver, "answer", MSG_NOSIGNAL);
    session.receive(Receiver, 10, 0);
    session.receive(Receiver, 10, 0);
    Ok(())
}

fn reset_seen_by_a_peek_first(session: &mut Session) -> Result<()> {
    session.reset(Sender);
    session.receive(Receiver, 10, MSG_PEEK);
    session.receive(Receiver, 10, MSG_PEEK);
    session.receive(Receiver, 10, 0);
    Ok(())
}

fn reset_after_a_half_close(session: &mut Session) -> Result<()> {
    session.shut_down(Receiver, libc::SHUT_WR);
    let _ = session.send(Sender, "half", 0);
    session.reset(Sender);
    aftermath(session, Receiver);
    Ok(())
}

fn reset_counts_nothing(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "waiting", 0);
    session.reset(Sender);
    session.ask(Receiver, FIONREAD);
    session.receive(Receiver, 100, 0);
    session.ask(Receiver, FIONREAD);
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

fn connect(session: &mut Session, who: Who, family: i32) {
    let answer = sys::connect(session.fd(who), &address(family));
    session.tell(who, format_args!("connect(family {family}) -> {}", names::answer(answer)));
}

/// connect(AF_UNSPEC) ends a TCP connection with an RST and makes the socket new.
fn disconnect_by_connecting_to_nowhere(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "waiting", 0);
    let _ = session.send(Receiver, "never read", 0);
    session.leave(Sender, |session| connect(session, Sender, libc::AF_UNSPEC));
    session.state(Sender);
    session.poll_all(Sender);
    session.receive(Sender, 10, 0);
    let _ = session.send(Sender, "nobody", MSG_NOSIGNAL);
    aftermath(session, Receiver);
    Ok(())
}

fn disconnect_and_let_the_other_send(session: &mut Session) -> Result<()> {
    session.leave(Sender, |session| connect(session, Sender, libc::AF_UNSPEC));
    for _ in 0..3 {
        let _ = session.send(Receiver, "nobody listens", MSG_NOSIGNAL);
        session.receive(Sender, 100, 0);
        session.poll_all(Sender);
    }
    Ok(())
}

/// The same socket on a new connection: what the old one brought and nobody read must be gone.
fn disconnect_and_connect_to_somebody_else(session: &mut Session) -> Result<()> {
    let _ = session.send(Receiver, "of the old connection", 0);
    session.leave(Sender, |session| connect(session, Sender, libc::AF_UNSPEC));
    let _ = session.send(Receiver, "sent too late", MSG_NOSIGNAL);
    // The other end becomes a listener: it lives in the same network namespace.
    connect(session, Receiver, libc::AF_UNSPEC);
    let listener = session.fd(Receiver);
    let any = libc::sockaddr_in { sin_port: 0, ..address(libc::AF_INET) };
    let _ = sys::bind(listener, &any);
    let listens = sys::listen(listener);
    let port = nix::sys::socket::getsockname::<nix::sys::socket::SockaddrIn>(listener)?.port();
    let there = libc::sockaddr_in { sin_port: port.to_be(), ..any };
    let connects = sys::connect(session.fd(Sender), &there);
    let accepted = sys::poll(listener, POLLIN, 1000).and_then(|_| sys::accept(listener));
    let shown = [listens.map(|_| 0), connects, accepted.as_ref().map(|_| 0).map_err(|error| *error)].map(names::answer);
    session.note(format!("listen, connect, accept -> {shown:?}"));
    if let Ok(new) = accepted {
        session.adopt(Receiver, new);
        session.poll_all(Sender);
        session.receive(Sender, 100, 0);
        session.exchange();
        session.exchange();
    }
    Ok(())
}

fn connect_again(session: &mut Session) -> Result<()> {
    connect(session, Sender, libc::AF_INET);
    connect(session, Receiver, libc::AF_INET);
    session.exchange();
    Ok(())
}

fn listen_bind_and_accept_on_a_connection(session: &mut Session) -> Result<()> {
    for who in Who::BOTH {
        let fd = session.fd(who);
        for (name, answer) in
            [("listen", sys::listen(fd)), ("bind", sys::bind(fd, &address(libc::AF_INET))), ("accept", sys::accept(fd).map(|_| 0))]
        {
            session.tell(who, format_args!("{name} -> {}", names::answer(answer)));
        }
    }
    session.exchange();
    Ok(())
}

fn errors_are_told_once(session: &mut Session) -> Result<()> {
    let error: SocketOption = SO_ERROR;
    session.get(Receiver, error);
    session.close(Sender);
    session.get(Receiver, error);
    let _ = session.send(Receiver, "provokes a reset", MSG_NOSIGNAL);
    session.wait(Receiver, libc::POLLHUP);
    session.get(Receiver, error);
    session.get(Receiver, error);
    let _ = session.send(Receiver, "fails", MSG_NOSIGNAL);
    session.receive(Receiver, 10, 0);
    Ok(())
}
