//! MSG_ZEROCOPY and its completions on the error queue.

use anyhow::Result;
use libc::{MSG_ERRQUEUE, MSG_ZEROCOPY, POLLERR, POLLIN};

use crate::Who::{Receiver, Sender};
use crate::options::SO_ZEROCOPY;
use crate::{behaviours, sys, Session};

behaviours! {
    "send(2) MSG_ZEROCOPY":
        zero_copy_completes,
        zero_copy_of_few_bytes,
        zero_copy_several_times,
        zero_copy_without_the_option,
        zero_copy_then_ordinary,
        zero_copy_before_the_end,
        zero_copy_both_ways;
    "recvmsg(2) MSG_ERRQUEUE":
        error_queue_is_empty;
}

/// Reads completions until all of `count` sends are covered; each names a range of sends.
fn completions(session: &mut Session, who: crate::Who, count: u32) {
    let mut done = 0;
    while done < count {
        if sys::poll(session.fd(who), 0, 1500) == Ok(0) {
            session.tell(who, format_args!("waits in vain for a completion, {done} of {count} came"));
            return;
        }
        let (_, extra) = sys::receive_message(session.fd(who), &mut [], 512, MSG_ERRQUEUE);
        for (level, kind, data) in &extra.control {
            // struct sock_extended_err: ee_origin at 4, ee_code at 6, ee_info at 8, ee_data at 12.
            let word = |at: usize| u32::from_ne_bytes(data[at..at + 4].try_into().unwrap_or_default());
            if (*level, *kind) == (libc::IPPROTO_IP, libc::IP_RECVERR) {
                done += word(12) - word(8) + 1;
                let (origin, code) = (data[4], data[6]);
                session.tell(who, format_args!("completion: origin {origin}, code {code}, up to {}", word(12)));
            }
        }
        if extra.control.is_empty() {
            session.tell(who, "has an error that is no completion");
            return;
        }
    }
    session.poll(who, POLLERR);
}

fn zero_copy_completes(session: &mut Session) -> Result<()> {
    let _ = session.set(Sender, SO_ZEROCOPY, 1);
    let bytes = session.bytes(20_000);
    let _ = session.send(Sender, &bytes, MSG_ZEROCOPY);
    session.receive_all(Receiver, 20_000);
    completions(session, Sender, 1);
    session.exchange();
    Ok(())
}

fn zero_copy_of_few_bytes(session: &mut Session) -> Result<()> {
    let _ = session.set(Sender, SO_ZEROCOPY, 1);
    let _ = session.send(Sender, "few", MSG_ZEROCOPY);
    session.receive_all(Receiver, 3);
    completions(session, Sender, 1);
    Ok(())
}

fn zero_copy_several_times(session: &mut Session) -> Result<()> {
    let _ = session.set(Sender, SO_ZEROCOPY, 1);
    for _ in 0..3 {
        let bytes = session.bytes(9000);
        let _ = session.send(Sender, &bytes, MSG_ZEROCOPY);
        session.receive_all(Receiver, 9000);
        completions(session, Sender, 1);
        session.exchange();
    }
    Ok(())
}

fn zero_copy_without_the_option(session: &mut Session) -> Result<()> {
    let bytes = session.bytes(9000);
    let _ = session.send(Sender, &bytes, MSG_ZEROCOPY);
    session.receive_all(Receiver, 9000);
    session.poll(Sender, POLLERR | POLLIN);
    session.get(Sender, SO_ZEROCOPY);
    Ok(())
}

fn zero_copy_then_ordinary(session: &mut Session) -> Result<()> {
    let _ = session.set(Sender, SO_ZEROCOPY, 1);
    let bytes = session.bytes(9000);
    let _ = session.send(Sender, &bytes, MSG_ZEROCOPY);
    let _ = session.send(Sender, "ordinary", 0);
    session.receive_all(Receiver, 9008);
    completions(session, Sender, 1);
    session.exchange();
    Ok(())
}

fn zero_copy_before_the_end(session: &mut Session) -> Result<()> {
    let _ = session.set(Sender, SO_ZEROCOPY, 1);
    let bytes = session.bytes(9000);
    let _ = session.send(Sender, &bytes, MSG_ZEROCOPY);
    session.shut_down(Sender, libc::SHUT_WR);
    session.receive_all(Receiver, 9000);
    session.receive(Receiver, 10, 0);
    completions(session, Sender, 1);
    Ok(())
}

fn zero_copy_both_ways(session: &mut Session) -> Result<()> {
    for (from, to) in [(Sender, Receiver), (Receiver, Sender)] {
        let _ = session.set(from, SO_ZEROCOPY, 1);
        let bytes = session.bytes(30_000);
        let _ = session.send(from, &bytes, MSG_ZEROCOPY);
        session.receive_all(to, 30_000);
        completions(session, from, 1);
    }
    Ok(())
}

fn error_queue_is_empty(session: &mut Session) -> Result<()> {
    session.receive_message(Receiver, &[10], MSG_ERRQUEUE);
    let _ = session.send(Sender, "not an error", 0);
    session.receive_message(Receiver, &[100], MSG_ERRQUEUE);
    session.receive_message(Receiver, &[100], 0);
    Ok(())
}
