//! How much is there: FIONREAD, SIOCOUTQ, TCP_INQ.

use anyhow::Result;
use libc::MSG_PEEK;

use crate::Who::{self, Receiver, Sender};
use crate::options::{FIONREAD, SIOCATMARK, SIOCOUTQ, SIOCOUTQNSD, TCP_INQ};
use crate::{behaviours, Session};

behaviours! {
    "tcp(7) FIONREAD":
        count_of_what_waits,
        count_of_several_messages,
        count_of_more_than_is_redirected,
        count_at_the_end,
        count_after_a_peek,
        count_is_what_a_receive_returns;
    "tcp(7) SIOCOUTQ":
        count_of_what_is_not_acknowledged;
    "tcp(7) SIOCATMARK":
        mark_without_urgent_data;
    "tcp(7) TCP_INQ":
        inquiry_with_each_message,
        inquiry_set_while_bytes_wait,
        inquiry_of_a_peek,
        inquiry_at_the_end,
        inquiry_turned_off_again;
}

fn count_of_what_waits(session: &mut Session) -> Result<()> {
    session.ask(Receiver, FIONREAD);
    let _ = session.send(Sender, "0123456789", 0);
    session.ask(Receiver, FIONREAD);
    session.receive(Receiver, 4, 0);
    session.ask(Receiver, FIONREAD);
    session.receive(Receiver, 6, 0);
    session.ask(Receiver, FIONREAD);
    Ok(())
}

fn count_of_several_messages(session: &mut Session) -> Result<()> {
    for size in [1, 1000, 30_000, 7] {
        session.write(Sender, size);
        session.ask(Receiver, FIONREAD);
    }
    session.receive(Receiver, 500, 0);
    session.ask(Receiver, FIONREAD);
    session.receive_all(Receiver, 30_508);
    session.ask(Receiver, FIONREAD);
    Ok(())
}

/// More than the redirected queue may hold: the rest waits in TCP's queue.
fn count_of_more_than_is_redirected(session: &mut Session) -> Result<()> {
    session.write_many(Sender, 100, 100);
    session.ask(Receiver, FIONREAD);
    session.receive_all(Receiver, 9000);
    session.ask(Receiver, FIONREAD);
    session.receive_all(Receiver, 1000);
    session.ask(Receiver, FIONREAD);
    Ok(())
}

fn count_at_the_end(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "last", 0);
    session.shut_down(Sender, libc::SHUT_WR);
    session.ask(Receiver, FIONREAD);
    session.receive(Receiver, 2, 0);
    session.ask(Receiver, FIONREAD);
    session.receive(Receiver, 2, 0);
    session.ask(Receiver, FIONREAD);
    session.receive(Receiver, 2, 0);
    session.ask(Receiver, FIONREAD);
    Ok(())
}

fn count_after_a_peek(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "peeked", 0);
    session.receive(Receiver, 3, MSG_PEEK);
    session.ask(Receiver, FIONREAD);
    session.receive(Receiver, 100, 0);
    Ok(())
}

/// Programs that size their buffer by FIONREAD expect one call to fill it, also when the bytes came by both paths.
fn count_is_what_a_receive_returns(session: &mut Session) -> Result<()> {
    session.write_many(Sender, 80, 10);
    session.ask(Receiver, FIONREAD);
    session.receive(Receiver, 800, 0);
    session.exchange();
    Ok(())
}

fn count_of_what_is_not_acknowledged(session: &mut Session) -> Result<()> {
    session.write(Sender, 10);
    session.ask(Sender, SIOCOUTQNSD);
    session.receive(Receiver, 10, 0);
    // An answer carries the acknowledgement.
    let _ = session.send(Receiver, "answer", 0);
    session.receive(Sender, 10, 0);
    session.ask(Sender, SIOCOUTQ);
    Ok(())
}

fn mark_without_urgent_data(session: &mut Session) -> Result<()> {
    session.ask(Receiver, SIOCATMARK);
    let _ = session.send(Sender, "normal", 0);
    session.ask(Receiver, SIOCATMARK);
    session.receive(Receiver, 10, 0);
    Ok(())
}

/// recvmsg(2), and what TCP_INQ says is left.
fn inquire(session: &mut Session, who: Who, size: usize, flags: i32) {
    let extra = session.receive_message(who, &[size], flags);
    for (level, kind, data) in extra.control {
        if let (libc::IPPROTO_TCP, libc::TCP_CM_INQ, Ok(left)) = (level, kind, data.try_into()) {
            session.tell(who, format_args!("still has {}", i32::from_ne_bytes(left)));
        }
    }
}

fn inquiry_with_each_message(session: &mut Session) -> Result<()> {
    let _ = session.set(Receiver, TCP_INQ, 1);
    session.get(Receiver, TCP_INQ);
    let _ = session.send(Sender, "0123456789", 0);
    inquire(session, Receiver, 4, 0);
    inquire(session, Receiver, 100, 0);
    inquire(session, Receiver, 100, 0);
    session.exchange();
    Ok(())
}

fn inquiry_set_while_bytes_wait(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "waiting", 0);
    let _ = session.set(Receiver, TCP_INQ, 1);
    inquire(session, Receiver, 4, 0);
    let _ = session.send(Sender, " and more", 0);
    inquire(session, Receiver, 5, 0);
    inquire(session, Receiver, 100, 0);
    Ok(())
}

fn inquiry_of_a_peek(session: &mut Session) -> Result<()> {
    let _ = session.set(Receiver, TCP_INQ, 1);
    let _ = session.send(Sender, "peeked", 0);
    inquire(session, Receiver, 2, MSG_PEEK);
    inquire(session, Receiver, 100, 0);
    Ok(())
}

fn inquiry_at_the_end(session: &mut Session) -> Result<()> {
    let _ = session.set(Receiver, TCP_INQ, 1);
    let _ = session.send(Sender, "last", 0);
    session.shut_down(Sender, libc::SHUT_WR);
    inquire(session, Receiver, 3, 0);
    inquire(session, Receiver, 100, 0);
    inquire(session, Receiver, 100, 0);
    Ok(())
}

fn inquiry_turned_off_again(session: &mut Session) -> Result<()> {
    let _ = session.set(Receiver, TCP_INQ, 1);
    let _ = session.send(Sender, "counted", 0);
    inquire(session, Receiver, 3, 0);
    let _ = session.set(Receiver, TCP_INQ, 0);
    inquire(session, Receiver, 100, 0);
    let _ = session.set(Receiver, TCP_INQ, 2);
    session.exchange();
    inquire(session, Receiver, 10, 0);
    Ok(())
}
