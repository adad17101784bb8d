//! sendfile(2) to a socket, and from one.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;

use anyhow::Result;

use crate::Who::{Receiver, Sender};
use crate::{behaviours, names, sys, Session};

behaviours! {
    "sendfile(2)":
        file_is_sent,
        file_with_an_offset,
        file_shorter_than_asked_for,
        file_between_messages,
        file_sent_while_the_queue_is_full,
        file_to_a_closed_peer,
        file_from_a_socket,
        file_in_many_calls;
}

fn file(session: &mut Session, size: usize) -> Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(&session.bytes(size))?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

fn sends(session: &mut Session, file: &File, offset: Option<&mut i64>, size: usize) -> usize {
    let sent = sys::send_file(session.fd(Sender), file.as_raw_fd(), offset, size);
    session.tell(Sender, format_args!("sendfile({size}) -> {}", names::answer(sent)));
    session.settle();
    sent.unwrap_or(0)
}

fn file_is_sent(session: &mut Session) -> Result<()> {
    let file = file(session, 5000)?;
    sends(session, &file, None, 5000);
    session.receive(Receiver, 10_000, 0);
    session.exchange();
    Ok(())
}

fn file_with_an_offset(session: &mut Session) -> Result<()> {
    let mut file = file(session, 5000)?;
    let mut offset = 4000;
    sends(session, &file, Some(&mut offset), 600);
    let position = file.stream_position()?;
    session.note(format!("the offset is {offset}, the file stands at {position}"));
    session.receive(Receiver, 10_000, 0);
    Ok(())
}

fn file_shorter_than_asked_for(session: &mut Session) -> Result<()> {
    let file = file(session, 100)?;
    sends(session, &file, None, 500);
    sends(session, &file, None, 500);
    session.receive(Receiver, 1000, 0);
    Ok(())
}

fn file_between_messages(session: &mut Session) -> Result<()> {
    let file = file(session, 300)?;
    let _ = session.send(Sender, "header", libc::MSG_MORE);
    session.poll(Receiver, libc::POLLIN);
    sends(session, &file, None, 300);
    let _ = session.send(Sender, "trailer", 0);
    session.receive_all(Receiver, 313);
    session.exchange();
    Ok(())
}

fn file_sent_while_the_queue_is_full(session: &mut Session) -> Result<()> {
    let start = session.made();
    let filled = session.fill(Sender, 50_000);
    let mut file = tempfile::tempfile()?;
    file.write_all(b"never sent")?;
    file.seek(SeekFrom::Start(0))?;
    sends(session, &file, None, 10);
    session.receive_filled(Receiver, start, filled);
    session.wait(Sender, libc::POLLOUT);
    sends(session, &file, None, 10);
    session.receive_all(Receiver, 10);
    Ok(())
}

fn file_to_a_closed_peer(session: &mut Session) -> Result<()> {
    let file = file(session, 100)?;
    session.reset(Receiver);
    sends(session, &file, None, 50);
    sends(session, &file, None, 50);
    Ok(())
}

/// A socket is not a file that sendfile takes from, or is: the answer must be the same.
fn file_from_a_socket(session: &mut Session) -> Result<()> {
    let (out, into) = nix::unistd::pipe2(nix::fcntl::OFlag::O_NONBLOCK)?;
    let _ = session.send(Sender, "from a socket", 0);
    let answer = sys::send_file(into.as_raw_fd(), session.fd(Receiver), None, 100);
    session.tell(Receiver, format_args!("sendfile into a pipe -> {}", names::answer(answer)));
    let mut buffer = [0; 100];
    let read = sys::read(out.as_raw_fd(), &mut buffer);
    session.note(format!("the pipe holds {}", names::answer(read)));
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn file_in_many_calls(session: &mut Session) -> Result<()> {
    let file = file(session, 70_000)?;
    let mut sent = 0;
    while sent < 70_000 {
        let n = sends(session, &file, None, 7000);
        if n == 0 {
            break;
        }
        sent += n;
        session.receive_all(Receiver, n);
    }
    Ok(())
}
