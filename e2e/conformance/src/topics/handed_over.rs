//! One socket behind several descriptors: dup, fork, SCM_RIGHTS, another network namespace.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use anyhow::{Context, Result};
use nix::sched::{unshare, CloneFlags};
use nix::sys::wait::waitpid;
use nix::unistd::{fork, ForkResult};

use crate::Who::{Receiver, Sender};
use crate::{behaviours, names, sys, Session};

behaviours! {
    "dup(2)":
        copy_reads_and_writes,
        copy_outlives_the_original,
        copy_shares_its_blocking;
    "fork(2)":
        child_reads_and_writes,
        child_closes_its_copy,
        child_shuts_down;
    "unix(7) SCM_RIGHTS":
        passed_over_a_unix_socket,
        used_in_another_network_namespace,
        opened_again_through_proc;
}

fn echo(fd: RawFd) -> String {
    let mut buffer = [0; 100];
    let received = sys::receive(fd, &mut buffer, 0);
    let size = received.unwrap_or(0);
    let sent = sys::send(fd, &buffer[..size], libc::MSG_NOSIGNAL);
    format!("echoes {} {}: {}", names::answer(received), names::bytes(&buffer[..size]), names::answer(sent))
}

fn copy_reads_and_writes(session: &mut Session) -> Result<()> {
    let copy = session.copy(Receiver).context("dup")?;
    for _ in 0..2 {
        let _ = session.send(Sender, "to the copy", 0);
        let line = echo(copy.as_raw_fd());
        session.note(line);
        session.receive(Sender, 100, 0);
        session.exchange();
    }
    Ok(())
}

fn copy_outlives_the_original(session: &mut Session) -> Result<()> {
    let copy = session.copy(Receiver).context("dup")?;
    let _ = session.send(Sender, "before", 0);
    drop(session.take(Receiver));
    session.replace(Receiver, copy);
    let _ = session.send(Sender, "after", 0);
    session.receive(Receiver, 100, 0);
    session.exchange();
    session.close(Receiver);
    session.receive(Sender, 100, 0);
    Ok(())
}

fn copy_shares_its_blocking(session: &mut Session) -> Result<()> {
    let copy = session.copy(Receiver).context("dup")?;
    session.set_blocking(Receiver, true);
    let flags = sys::control(copy.as_raw_fd(), libc::F_GETFL, 0).map(|flags| flags as i32 & libc::O_NONBLOCK != 0);
    session.note(format!("the copy does not block: {}", names::answer(flags)));
    session.set_blocking(Receiver, false);
    session.exchange();
    Ok(())
}

/// Runs `body` in a child process; what it returns is its exit status.
fn in_a_child(session: &mut Session, body: impl FnOnce(RawFd) -> u8) -> Result<()> {
    let fd = session.fd(Receiver);
    // SAFETY: the child makes system calls only and leaves with _exit.
    match unsafe { fork() }? {
        ForkResult::Child => {
            let status = body(fd);
            // SAFETY: ends the child without running anything of the parent's.
            unsafe { libc::_exit(status.into()) }
        }
        ForkResult::Parent { child } => {
            let status = waitpid(child, None)?;
            let nix::sys::wait::WaitStatus::Exited(_, code) = status else {
                anyhow::bail!("the child ended with {status:?}")
            };
            session.note(format!("the child ends with {code}"));
        }
    }
    session.settle();
    Ok(())
}

fn child_reads_and_writes(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "to the child", 0);
    in_a_child(session, |fd| {
        let mut buffer = [0; 100];
        let size = sys::receive(fd, &mut buffer, 0).unwrap_or(0);
        sys::send(fd, &buffer[..size], 0).unwrap_or(99) as u8
    })?;
    session.receive(Sender, 100, 0);
    session.exchange();
    Ok(())
}

fn child_closes_its_copy(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "unread", 0);
    in_a_child(session, |fd| {
        // SAFETY: the descriptor belongs to the child's own table.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
        7
    })?;
    session.poll_all(Sender);
    session.receive(Receiver, 100, 0);
    session.exchange();
    Ok(())
}

fn child_shuts_down(session: &mut Session) -> Result<()> {
    session.leave(Receiver, |session| {
        let child = in_a_child(session, |fd| u8::from(sys::shut_down(fd, libc::SHUT_WR).is_ok()));
        if let Err(error) = child {
            session.note(format!("{error}"));
        }
    });
    session.receive(Sender, 10, 0);
    let _ = session.send(Receiver, "too late", libc::MSG_NOSIGNAL);
    let _ = session.send(Sender, "still open", 0);
    session.receive(Receiver, 100, 0);
    Ok(())
}

/// Sends a copy of the receiver's descriptor over a unix socket.
fn passed(session: &mut Session) -> Result<OwnedFd> {
    let (here, there) = std::os::unix::net::UnixStream::pair()?;
    let data = session.fd(Receiver).to_ne_bytes();
    let mut byte = *b"x";
    let control = Some((libc::SOL_SOCKET, libc::SCM_RIGHTS, &data[..]));
    sys::send_message(here.as_raw_fd(), &mut [sys::piece(&mut byte)], control, 0)?;
    let (answer, extra) = sys::receive_message(there.as_raw_fd(), &mut [sys::piece(&mut byte)], 64, 0);
    answer?;
    let (_, _, data) = extra.control.first().context("no descriptor came")?;
    let fd = RawFd::from_ne_bytes(data[..4].try_into()?);
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn passed_over_a_unix_socket(session: &mut Session) -> Result<()> {
    let copy = passed(session)?;
    drop(session.take(Receiver));
    let _ = session.send(Sender, "to the other", 0);
    session.note(echo(copy.as_raw_fd()));
    session.receive(Sender, 100, 0);
    session.replace(Receiver, copy);
    session.exchange();
    session.close(Receiver);
    session.receive(Sender, 100, 0);
    Ok(())
}

fn used_in_another_network_namespace(session: &mut Session) -> Result<()> {
    let copy = passed(session)?;
    for text in ["one", "two", "three"] {
        let _ = session.send(Sender, text, 0);
        let fd = copy.as_raw_fd();
        let line = std::thread::spawn(move || unshare(CloneFlags::CLONE_NEWNET).map(|()| echo(fd)))
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        session.note(line);
        session.settle();
        session.receive(Sender, 100, 0);
    }
    session.exchange();
    Ok(())
}

/// Sockets cannot be opened through /proc: with the same error.
fn opened_again_through_proc(session: &mut Session) -> Result<()> {
    let path = format!("/proc/self/fd/{}", session.fd(Receiver));
    let error = std::fs::File::open(&path).map(|_| ()).map_err(|error| error.raw_os_error());
    session.note(format!("open -> {error:?}"));
    let link = std::fs::read_link(&path)?;
    session.note(format!("it is a socket: {}", link.to_string_lossy().starts_with("socket:[")));
    session.exchange();
    Ok(())
}
