//! What getsockopt(2), getsockname(2) and the like say of a connection: nothing may be different.

use anyhow::Result;

use crate::Who::{self, Receiver, Sender};
use crate::options::*;
use crate::{behaviours, names, sys, Session};

behaviours! {
    "getsockopt(2)":
        options_of_sockets,
        options_of_tcp,
        options_of_ip,
        options_that_do_not_exist,
        option_of_the_congestion_control,
        option_values_are_cut;
    "getsockname(2)":
        names_of_both_ends;
    "fstat(2)":
        file_of_a_socket,
        seek_and_positional_reads_fail;
    "tcp(7) TCP_INFO":
        info_follows_the_state;
}

fn all(session: &mut Session, options: &[SocketOption]) {
    for who in Who::BOTH {
        for option in options {
            session.get(who, *option);
        }
    }
}

fn options_of_sockets(session: &mut Session) -> Result<()> {
    all(
        session,
        &[
            SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ACCEPTCONN, SO_ERROR, SO_KEEPALIVE, SO_REUSEADDR, SO_REUSEPORT,
            SO_OOBINLINE, SO_PEEK_OFF, SO_RCVLOWAT, SO_SNDLOWAT, SO_SNDBUF, SO_TIMESTAMP, SO_ZEROCOPY, SO_PRIORITY,
            SO_MARK, SO_BROADCAST, SO_DONTROUTE, SO_RXQ_OVFL, SO_BUSY_POLL, SO_MAX_PACING_RATE,
        ],
    );
    Ok(())
}

fn options_of_tcp(session: &mut Session) -> Result<()> {
    all(
        session,
        &[
            TCP_NODELAY, TCP_CORK, TCP_MAXSEG, TCP_INQ, TCP_NOTSENT_LOWAT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT,
            TCP_USER_TIMEOUT, TCP_LINGER2, TCP_SYNCNT, TCP_DEFER_ACCEPT, TCP_REPAIR, TCP_THIN_LINEAR_TIMEOUTS,
            TCP_FASTOPEN,
        ],
    );
    Ok(())
}

fn options_of_ip(session: &mut Session) -> Result<()> {
    all(session, &[IP_TOS, IP_TTL, IP_RECVERR, IP_MTU, IP_PKTINFO, IP_TRANSPARENT]);
    Ok(())
}

fn options_that_do_not_exist(session: &mut Session) -> Result<()> {
    for (level, number) in [(libc::SOL_SOCKET, 999), (libc::IPPROTO_TCP, 999), (libc::IPPROTO_IP, 999), (999, 1)] {
        let option = SocketOption { level, number, name: "an option of nobody" };
        session.get(Receiver, option);
        let _ = session.set(Receiver, option, 1);
    }
    session.exchange();
    Ok(())
}

fn option_of_the_congestion_control(session: &mut Session) -> Result<()> {
    for name in ["reno", "nonsense", "cubic"] {
        let mut value = [0u8; 16];
        value[..name.len()].copy_from_slice(name.as_bytes());
        let set = sys::set(session.fd(Sender), TCP_CONGESTION.level, TCP_CONGESTION.number, &value);
        let now = sys::get(session.fd(Sender), TCP_CONGESTION.level, TCP_CONGESTION.number, [0u8; 16]);
        let now = now.map(|(name, _)| names::bytes(&name));
        session.tell(Sender, format_args!("asks for {name} -> {}, has {}", names::answer(set), names::answer(now)));
        session.exchange();
    }
    Ok(())
}

fn option_values_are_cut(session: &mut Session) -> Result<()> {
    let byte = sys::get(session.fd(Receiver), libc::SOL_SOCKET, libc::SO_TYPE, 0u8);
    let long = sys::get(session.fd(Receiver), libc::SOL_SOCKET, libc::SO_TYPE, [0u64; 2]);
    let short = sys::set(session.fd(Receiver), libc::SOL_SOCKET, libc::SO_RCVLOWAT, &1u8);
    session.note(format!("{byte:?} {long:?} {short:?}"));
    Ok(())
}

/// The addresses differ between connections: what must hold is that each end's is the other's peer.
fn names_of_both_ends(session: &mut Session) -> Result<()> {
    use nix::sys::socket::{SockaddrIn, getpeername, getsockname};
    let matches = |session: &Session| -> Result<[bool; 2]> {
        Ok([
            getsockname::<SockaddrIn>(session.fd(Sender))? == getpeername::<SockaddrIn>(session.fd(Receiver))?,
            getsockname::<SockaddrIn>(session.fd(Receiver))? == getpeername::<SockaddrIn>(session.fd(Sender))?,
        ])
    };
    let before = matches(session)?;
    session.shut_down(Sender, libc::SHUT_WR);
    let half = matches(session)?;
    session.close(Sender);
    let after = getpeername::<SockaddrIn>(session.fd(Receiver)).map(|_| "still has a peer");
    session.note(format!("{before:?} {half:?} {after:?}"));
    session.receive(Receiver, 10, 0);
    session.shut_down(Receiver, libc::SHUT_WR);
    let after = getpeername::<SockaddrIn>(session.fd(Receiver)).map(|_| "still has a peer");
    session.note(format!("{after:?}"));
    Ok(())
}

fn file_of_a_socket(session: &mut Session) -> Result<()> {
    for who in Who::BOTH {
        let stat = nix::sys::stat::fstat(borrowed(session, who))?;
        session.tell(who, format_args!("has mode {:o}, {} bytes, {} links", stat.st_mode, stat.st_size, stat.st_nlink));
    }
    Ok(())
}

fn borrowed(session: &Session, who: Who) -> std::os::fd::BorrowedFd<'_> {
    assert!(session.fd(who) >= 0, "a closed end has no file");
    // SAFETY: the session keeps the descriptor open, and is borrowed.
    unsafe { std::os::fd::BorrowedFd::borrow_raw(session.fd(who)) }
}

fn seek_and_positional_reads_fail(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "bytes", 0);
    let mut buffer = [0; 10];
    let fd = borrowed(session, Receiver);
    let seek = nix::unistd::lseek(fd, 1, nix::unistd::Whence::SeekSet);
    let read = nix::sys::uio::pread(fd, &mut buffer, 1);
    let write = nix::sys::uio::pwrite(fd, b"x", 1);
    let sync = nix::unistd::fsync(fd);
    session.note(format!("{seek:?} {read:?} {write:?} {sync:?}"));
    session.receive(Receiver, 10, 0);
    Ok(())
}

fn info_follows_the_state(session: &mut Session) -> Result<()> {
    let both = |session: &mut Session| {
        session.state(Sender);
        session.state(Receiver);
    };
    both(session);
    session.exchange();
    both(session);
    session.shut_down(Sender, libc::SHUT_WR);
    both(session);
    session.receive(Receiver, 1, 0);
    session.shut_down(Receiver, libc::SHUT_RD);
    both(session);
    session.shut_down(Receiver, libc::SHUT_WR);
    both(session);
    Ok(())
}
