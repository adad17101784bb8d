//! One socket behind several descriptors: dup, fork, SCM_RIGHTS, another network namespace.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use anyhow::{Context, Result};
use nix::sched::{unshare, CloneFlags};
use nix::sys::wait::waitpid;
use nix::unistd::{fork, ForkResult};

use crate::Who::{Receiver, Sender};
use crate::{behaviours, names, sys, Scene};

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

fn copy_reads_and_writes(scene: &mut Scene) -> Result<()> {
    let copy = scene.copy(Receiver).context("dup")?;
    for _ in 0..2 {
        let _ = scene.send(Sender, "to the copy", 0);
        let line = echo(copy.as_raw_fd());
        scene.note(line);
        scene.receive(Sender, 100, 0);
        scene.exchange();
    }
    Ok(())
}

fn copy_outlives_the_original(scene: &mut Scene) -> Result<()> {
    let copy = scene.copy(Receiver).context("dup")?;
    let _ = scene.send(Sender, "before", 0);
    drop(scene.take(Receiver));
    scene.replace(Receiver, copy);
    let _ = scene.send(Sender, "after", 0);
    scene.receive(Receiver, 100, 0);
    scene.exchange();
    scene.close(Receiver);
    scene.receive(Sender, 100, 0);
    Ok(())
}

fn copy_shares_its_blocking(scene: &mut Scene) -> Result<()> {
    let copy = scene.copy(Receiver).context("dup")?;
    scene.set_blocking(Receiver, true);
    let flags = sys::control(copy.as_raw_fd(), libc::F_GETFL, 0).map(|flags| flags as i32 & libc::O_NONBLOCK != 0);
    scene.note(format!("the copy does not block: {}", names::answer(flags)));
    scene.set_blocking(Receiver, false);
    scene.exchange();
    Ok(())
}

/// Runs `body` in a child process; what it returns is its exit status.
fn in_a_child(scene: &mut Scene, body: impl FnOnce(RawFd) -> u8) -> Result<()> {
    let fd = scene.fd(Receiver);
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
            scene.note(format!("the child ends with {code}"));
        }
    }
    scene.settle();
    Ok(())
}

fn child_reads_and_writes(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "to the child", 0);
    in_a_child(scene, |fd| {
        let mut buffer = [0; 100];
        let size = sys::receive(fd, &mut buffer, 0).unwrap_or(0);
        sys::send(fd, &buffer[..size], 0).unwrap_or(99) as u8
    })?;
    scene.receive(Sender, 100, 0);
    scene.exchange();
    Ok(())
}

fn child_closes_its_copy(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "unread", 0);
    in_a_child(scene, |fd| {
        // SAFETY: the descriptor belongs to the child's own table.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
        7
    })?;
    scene.poll_all(Sender);
    scene.receive(Receiver, 100, 0);
    scene.exchange();
    Ok(())
}

fn child_shuts_down(scene: &mut Scene) -> Result<()> {
    scene.leave(Receiver, |scene| {
        let child = in_a_child(scene, |fd| u8::from(sys::shut_down(fd, libc::SHUT_WR).is_ok()));
        if let Err(error) = child {
            scene.note(format!("{error}"));
        }
    });
    scene.receive(Sender, 10, 0);
    let _ = scene.send(Receiver, "too late", libc::MSG_NOSIGNAL);
    let _ = scene.send(Sender, "still open", 0);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

/// Sends a copy of the receiver's descriptor over a unix socket.
fn passed(scene: &mut Scene) -> Result<OwnedFd> {
    let (here, there) = std::os::unix::net::UnixStream::pair()?;
    let data = scene.fd(Receiver).to_ne_bytes();
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

fn passed_over_a_unix_socket(scene: &mut Scene) -> Result<()> {
    let copy = passed(scene)?;
    drop(scene.take(Receiver));
    let _ = scene.send(Sender, "to the other", 0);
    scene.note(echo(copy.as_raw_fd()));
    scene.receive(Sender, 100, 0);
    scene.replace(Receiver, copy);
    scene.exchange();
    scene.close(Receiver);
    scene.receive(Sender, 100, 0);
    Ok(())
}

fn used_in_another_network_namespace(scene: &mut Scene) -> Result<()> {
    let copy = passed(scene)?;
    for text in ["one", "two", "three"] {
        let _ = scene.send(Sender, text, 0);
        let fd = copy.as_raw_fd();
        let line = std::thread::spawn(move || unshare(CloneFlags::CLONE_NEWNET).map(|()| echo(fd)))
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        scene.note(line);
        scene.settle();
        scene.receive(Sender, 100, 0);
    }
    scene.exchange();
    Ok(())
}

/// Sockets cannot be opened through /proc: with the same error.
fn opened_again_through_proc(scene: &mut Scene) -> Result<()> {
    let path = format!("/proc/self/fd/{}", scene.fd(Receiver));
    let error = std::fs::File::open(&path).map(|_| ()).map_err(|error| error.raw_os_error());
    scene.note(format!("open -> {error:?}"));
    let link = std::fs::read_link(&path)?;
    scene.note(format!("it is a socket: {}", link.to_string_lossy().starts_with("socket:[")));
    scene.exchange();
    Ok(())
}
