//! sendfile(2) to a socket, and from one.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;

use anyhow::Result;

use crate::Who::{Receiver, Sender};
use crate::{behaviours, names, sys, Scene};

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

fn file(scene: &mut Scene, size: usize) -> Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(&scene.bytes(size))?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

fn sends(scene: &mut Scene, file: &File, offset: Option<&mut i64>, size: usize) -> usize {
    let sent = sys::send_file(scene.fd(Sender), file.as_raw_fd(), offset, size);
    scene.tell(Sender, format_args!("sendfile({size}) -> {}", names::answer(sent)));
    scene.settle();
    sent.unwrap_or(0)
}

fn file_is_sent(scene: &mut Scene) -> Result<()> {
    let file = file(scene, 5000)?;
    sends(scene, &file, None, 5000);
    scene.receive(Receiver, 10_000, 0);
    scene.exchange();
    Ok(())
}

fn file_with_an_offset(scene: &mut Scene) -> Result<()> {
    let mut file = file(scene, 5000)?;
    let mut offset = 4000;
    sends(scene, &file, Some(&mut offset), 600);
    let position = file.stream_position()?;
    scene.note(format!("the offset is {offset}, the file stands at {position}"));
    scene.receive(Receiver, 10_000, 0);
    Ok(())
}

fn file_shorter_than_asked_for(scene: &mut Scene) -> Result<()> {
    let file = file(scene, 100)?;
    sends(scene, &file, None, 500);
    sends(scene, &file, None, 500);
    scene.receive(Receiver, 1000, 0);
    Ok(())
}

fn file_between_messages(scene: &mut Scene) -> Result<()> {
    let file = file(scene, 300)?;
    let _ = scene.send(Sender, "header", libc::MSG_MORE);
    scene.poll(Receiver, libc::POLLIN);
    sends(scene, &file, None, 300);
    let _ = scene.send(Sender, "trailer", 0);
    scene.receive_all(Receiver, 313);
    scene.exchange();
    Ok(())
}

fn file_sent_while_the_queue_is_full(scene: &mut Scene) -> Result<()> {
    let start = scene.made();
    let filled = scene.fill(Sender, 50_000);
    let mut file = tempfile::tempfile()?;
    file.write_all(b"never sent")?;
    file.seek(SeekFrom::Start(0))?;
    sends(scene, &file, None, 10);
    scene.receive_filled(Receiver, start, filled);
    scene.wait(Sender, libc::POLLOUT);
    sends(scene, &file, None, 10);
    scene.receive_all(Receiver, 10);
    Ok(())
}

fn file_to_a_closed_peer(scene: &mut Scene) -> Result<()> {
    let file = file(scene, 100)?;
    scene.reset(Receiver);
    sends(scene, &file, None, 50);
    sends(scene, &file, None, 50);
    Ok(())
}

/// A socket is not a file that sendfile takes from, or is: the answer must be the same.
fn file_from_a_socket(scene: &mut Scene) -> Result<()> {
    let (out, into) = nix::unistd::pipe2(nix::fcntl::OFlag::O_NONBLOCK)?;
    let _ = scene.send(Sender, "from a socket", 0);
    let answer = sys::send_file(into.as_raw_fd(), scene.fd(Receiver), None, 100);
    scene.tell(Receiver, format_args!("sendfile into a pipe -> {}", names::answer(answer)));
    let mut buffer = [0; 100];
    let read = sys::read(out.as_raw_fd(), &mut buffer);
    scene.note(format!("the pipe holds {}", names::answer(read)));
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn file_in_many_calls(scene: &mut Scene) -> Result<()> {
    let file = file(scene, 70_000)?;
    let mut sent = 0;
    while sent < 70_000 {
        let n = sends(scene, &file, None, 7000);
        if n == 0 {
            break;
        }
        sent += n;
        scene.receive_all(Receiver, n);
    }
    Ok(())
}
