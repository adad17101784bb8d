//! close(2): with everything read, with something unread, with linger, while the other end still sends.

use anyhow::Result;
use libc::MSG_NOSIGNAL;

use crate::Who::{self, Receiver, Sender};
use crate::options::SO_ERROR;
use crate::{behaviours, Scene};

behaviours! {
    "close(2)":
        close_of_a_quiet_connection,
        close_after_bytes_that_the_other_reads_later,
        close_with_bytes_unread,
        close_with_bytes_unread_and_more_sent,
        close_with_bytes_partly_read,
        close_with_bytes_only_peeked,
        close_then_the_other_sends,
        close_then_the_other_sends_twice,
        close_of_one_descriptor_of_two,
        close_after_both_shut_down,
        close_both_with_bytes_unread;
    "socket(7) SO_LINGER":
        linger_of_some_seconds,
        linger_of_no_time_with_bytes_on_their_way;
}

/// What an end meets from now on: all it can read, poll, SO_ERROR, what sends say, and the same once more.
pub fn aftermath(scene: &mut Scene, who: Who) {
    scene.poll_all(who);
    for _ in 0..3 {
        scene.receive(who, 100, 0);
    }
    scene.get(who, SO_ERROR);
    for _ in 0..2 {
        let _ = scene.send(who, "into the void", MSG_NOSIGNAL);
        scene.poll_all(who);
    }
    scene.receive(who, 100, 0);
    scene.get(who, SO_ERROR);
    scene.state(who);
}

fn close_of_a_quiet_connection(scene: &mut Scene) -> Result<()> {
    scene.close(Sender);
    scene.state(Receiver);
    scene.poll_all(Receiver);
    scene.receive(Receiver, 10, 0);
    scene.receive(Receiver, 10, 0);
    Ok(())
}

fn close_after_bytes_that_the_other_reads_later(scene: &mut Scene) -> Result<()> {
    for size in [10, 9000, 1] {
        scene.write(Sender, size);
    }
    scene.close(Sender);
    scene.poll_all(Receiver);
    scene.receive_all(Receiver, 9011);
    scene.poll_all(Receiver);
    scene.receive(Receiver, 10, 0);
    Ok(())
}

/// TCP says RST: the other end must learn that its bytes were not read.
fn close_with_bytes_unread(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "never read", 0);
    scene.close(Receiver);
    scene.state(Sender);
    aftermath(scene, Sender);
    Ok(())
}

fn close_with_bytes_unread_and_more_sent(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Receiver, "an answer that waits", 0);
    let _ = scene.send(Sender, "never read", 0);
    scene.close(Receiver);
    aftermath(scene, Sender);
    Ok(())
}

fn close_with_bytes_partly_read(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "half of it is read", 0);
    scene.receive(Receiver, 9, 0);
    scene.close(Receiver);
    aftermath(scene, Sender);
    Ok(())
}

fn close_with_bytes_only_peeked(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "peeked", 0);
    scene.receive(Receiver, 100, libc::MSG_PEEK);
    scene.close(Receiver);
    aftermath(scene, Sender);
    Ok(())
}

fn close_then_the_other_sends(scene: &mut Scene) -> Result<()> {
    scene.close(Receiver);
    let _ = scene.send(Sender, "too late", MSG_NOSIGNAL);
    scene.wait(Sender, libc::POLLERR | libc::POLLHUP);
    aftermath(scene, Sender);
    Ok(())
}

fn close_then_the_other_sends_twice(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Receiver, "last words", 0);
    scene.close(Receiver);
    let _ = scene.send(Sender, "too late", MSG_NOSIGNAL);
    scene.wait(Sender, libc::POLLHUP);
    let _ = scene.send(Sender, "much too late", MSG_NOSIGNAL);
    aftermath(scene, Sender);
    Ok(())
}

fn close_of_one_descriptor_of_two(scene: &mut Scene) -> Result<()> {
    let copy = scene.copy(Receiver);
    let original = scene.take(Receiver);
    drop(original);
    if let Some(copy) = copy {
        scene.replace(Receiver, copy);
    }
    scene.poll_all(Sender);
    scene.exchange();
    scene.close(Receiver);
    scene.poll_all(Sender);
    scene.receive(Sender, 10, 0);
    Ok(())
}

fn close_after_both_shut_down(scene: &mut Scene) -> Result<()> {
    scene.shut_down(Sender, libc::SHUT_WR);
    scene.receive(Receiver, 10, 0);
    scene.shut_down(Receiver, libc::SHUT_WR);
    scene.receive(Sender, 10, 0);
    scene.close(Receiver);
    aftermath(scene, Sender);
    Ok(())
}

fn close_both_with_bytes_unread(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "never read", 0);
    let _ = scene.send(Receiver, "nor this", 0);
    let kept = scene.copy(Sender);
    scene.close(Receiver);
    if let Some(kept) = kept {
        scene.replace(Sender, kept);
    }
    scene.receive(Sender, 100, 0);
    scene.receive(Sender, 100, 0);
    scene.close(Sender);
    Ok(())
}

fn linger_of_some_seconds(scene: &mut Scene) -> Result<()> {
    let _ = scene.set_linger(Sender, 1, 2);
    let _ = scene.send(Sender, "lingers", 0);
    scene.close(Sender);
    scene.receive(Receiver, 100, 0);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn linger_of_no_time_with_bytes_on_their_way(scene: &mut Scene) -> Result<()> {
    for size in [10, 5000, 20] {
        scene.write(Sender, size);
    }
    scene.reset(Sender);
    aftermath(scene, Receiver);
    Ok(())
}
