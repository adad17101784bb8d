//! close(2): with everything read, with something unread, with linger, while the other end still sends.

use anyhow::Result;
use libc::MSG_NOSIGNAL;

use crate::Who::{self, Receiver, Sender};
use crate::options::SO_ERROR;
use crate::{behaviours, Session};

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
pub fn aftermath(session: &mut Session, who: Who) {
    session.poll_all(who);
    for _ in 0..3 {
        session.receive(who, 100, 0);
    }
    session.get(who, SO_ERROR);
    for _ in 0..2 {
        let _ = session.send(who, "into the void", MSG_NOSIGNAL);
        session.poll_all(who);
    }
    session.receive(who, 100, 0);
    session.get(who, SO_ERROR);
    session.state(who);
}

fn close_of_a_quiet_connection(session: &mut Session) -> Result<()> {
    session.close(Sender);
    session.state(Receiver);
    session.poll_all(Receiver);
    session.receive(Receiver, 10, 0);
    session.receive(Receiver, 10, 0);
    Ok(())
}

fn close_after_bytes_that_the_other_reads_later(session: &mut Session) -> Result<()> {
    for size in [10, 9000, 1] {
        session.write(Sender, size);
    }
    session.close(Sender);
    session.poll_all(Receiver);
    session.receive_all(Receiver, 9011);
    session.poll_all(Receiver);
    session.receive(Receiver, 10, 0);
    Ok(())
}

/// TCP says RST: the other end must learn that its bytes were not read.
fn close_with_bytes_unread(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "never read", 0);
    session.close(Receiver);
    session.state(Sender);
    aftermath(session, Sender);
    Ok(())
}

fn close_with_bytes_unread_and_more_sent(session: &mut Session) -> Result<()> {
    let _ = session.send(Receiver, "an answer that waits", 0);
    let _ = session.send(Sender, "never read", 0);
    session.close(Receiver);
    aftermath(session, Sender);
    Ok(())
}

fn close_with_bytes_partly_read(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "half of it is read", 0);
    session.receive(Receiver, 9, 0);
    session.close(Receiver);
    aftermath(session, Sender);
    Ok(())
}

fn close_with_bytes_only_peeked(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "peeked", 0);
    session.receive(Receiver, 100, libc::MSG_PEEK);
    session.close(Receiver);
    aftermath(session, Sender);
    Ok(())
}

fn close_then_the_other_sends(session: &mut Session) -> Result<()> {
    session.close(Receiver);
    let _ = session.send(Sender, "too late", MSG_NOSIGNAL);
    session.wait(Sender, libc::POLLERR | libc::POLLHUP);
    aftermath(session, Sender);
    Ok(())
}

fn close_then_the_other_sends_twice(session: &mut Session) -> Result<()> {
    let _ = session.send(Receiver, "last words", 0);
    session.close(Receiver);
    let _ = session.send(Sender, "too late", MSG_NOSIGNAL);
    session.wait(Sender, libc::POLLHUP);
    let _ = session.send(Sender, "much too late", MSG_NOSIGNAL);
    aftermath(session, Sender);
    Ok(())
}

fn close_of_one_descriptor_of_two(session: &mut Session) -> Result<()> {
    let copy = session.copy(Receiver);
    let original = session.take(Receiver);
    drop(original);
    if let Some(copy) = copy {
        session.replace(Receiver, copy);
    }
    session.poll_all(Sender);
    session.exchange();
    session.close(Receiver);
    session.poll_all(Sender);
    session.receive(Sender, 10, 0);
    Ok(())
}

fn close_after_both_shut_down(session: &mut Session) -> Result<()> {
    session.shut_down(Sender, libc::SHUT_WR);
    session.receive(Receiver, 10, 0);
    session.shut_down(Receiver, libc::SHUT_WR);
    session.receive(Sender, 10, 0);
    session.close(Receiver);
    aftermath(session, Sender);
    Ok(())
}

fn close_both_with_bytes_unread(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "never read", 0);
    let _ = session.send(Receiver, "nor this", 0);
    let kept = session.copy(Sender);
    session.close(Receiver);
    if let Some(kept) = kept {
        session.replace(Sender, kept);
    }
    session.receive(Sender, 100, 0);
    session.receive(Sender, 100, 0);
    session.close(Sender);
    Ok(())
}

fn linger_of_some_seconds(session: &mut Session) -> Result<()> {
    let _ = session.set_linger(Sender, 1, 2);
    let _ = session.send(Sender, "lingers", 0);
    session.close(Sender);
    session.receive(Receiver, 100, 0);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn linger_of_no_time_with_bytes_on_their_way(session: &mut Session) -> Result<()> {
    for size in [10, 5000, 20] {
        session.write(Sender, size);
    }
    session.reset(Sender);
    aftermath(session, Receiver);
    Ok(())
}
