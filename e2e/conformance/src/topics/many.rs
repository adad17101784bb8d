//! Several threads on one socket.

use anyhow::Result;
use libc::MSG_DONTWAIT;

use crate::Who::{self, Receiver, Sender};
use crate::{behaviours, names, sys, Session};

behaviours! {
    "recv(2)":
        two_readers_get_a_message_each,
        two_readers_and_the_end,
        two_readers_are_let_go_by_a_shutdown,
        a_reader_and_a_poller,
        a_reader_and_a_writer_of_one_socket,
        a_reader_is_let_go_by_a_shutdown_of_reading;
    "send(2)":
        two_writers_send_whole_messages;
}

type Call = Box<dyn FnOnce() -> String + Send>;

fn reader(session: &Session, who: Who) -> Call {
    let fd = session.fd(who);
    Box::new(move || {
        let mut buffer = [0; 100];
        let answer = sys::receive(fd, &mut buffer, 0);
        format!("{} {}", names::answer(answer), names::bytes(&buffer[..answer.unwrap_or(0)]))
    })
}

fn two_readers_get_a_message_each(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    let calls = vec![reader(session, Receiver), reader(session, Receiver)];
    session.meanwhile_all("recv", calls, |session, waiting| {
        let _ = session.send(Sender, "one", 0);
        // One of the two takes it before the next comes.
        session.wait_for_one(waiting);
        let _ = session.send(Sender, "two", 0);
    });
    session.receive(Receiver, 100, MSG_DONTWAIT);
    Ok(())
}

fn two_readers_and_the_end(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    let calls = vec![reader(session, Receiver), reader(session, Receiver)];
    session.meanwhile_all("recv", calls, |session, _| session.close(Sender));
    Ok(())
}

fn two_readers_are_let_go_by_a_shutdown(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    let calls = vec![reader(session, Receiver), reader(session, Receiver)];
    session.meanwhile_all("recv", calls, |session, _| session.shut_down(Receiver, libc::SHUT_RDWR));
    session.receive(Sender, 10, 0);
    Ok(())
}

fn a_reader_and_a_poller(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    let fd = session.fd(Receiver);
    let poller: Call = Box::new(move || {
        let answer = sys::poll(fd, libc::POLLIN | libc::POLLRDHUP, 2000);
        names::answer(answer.map(|events| names::events(events.into())))
    });
    session.meanwhile_all("poll", vec![poller], |session, _| {
        session.shut_down(Sender, libc::SHUT_WR);
    });
    session.receive(Receiver, 10, MSG_DONTWAIT);
    Ok(())
}

fn a_reader_and_a_writer_of_one_socket(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    let calls = vec![reader(session, Receiver)];
    session.meanwhile_all("recv", calls, |session, _| {
        for text in ["one", "two", "three"] {
            let _ = session.send(Receiver, text, 0);
        }
        session.receive(Sender, 100, 0);
        let _ = session.send(Sender, "answer", 0);
    });
    session.exchange();
    Ok(())
}

fn a_reader_is_let_go_by_a_shutdown_of_reading(session: &mut Session) -> Result<()> {
    session.set_blocking(Receiver, true);
    let calls = vec![reader(session, Receiver)];
    session.meanwhile_all("recv", calls, |session, _| session.shut_down(Receiver, libc::SHUT_RD));
    Ok(())
}

/// A stream keeps each call's bytes together, whoever calls.
fn two_writers_send_whole_messages(session: &mut Session) -> Result<()> {
    const EACH: usize = 300;
    const SIZE: usize = 40;
    let fd = session.fd(Sender);
    let writers: Vec<_> = (b'a'..=b'b')
        .map(|letter| {
            std::thread::spawn(move || {
                (0..EACH).all(|_| loop {
                    match sys::send(fd, &[letter; SIZE], MSG_DONTWAIT | libc::MSG_NOSIGNAL) {
                        Ok(sent) => break sent == SIZE,
                        Err(nix::errno::Errno::EAGAIN) => {
                            let _ = sys::poll(fd, libc::POLLOUT, 100);
                        }
                        Err(_) => break false,
                    }
                })
            })
        })
        .collect();
    let mut all = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    while all.len() < 2 * EACH * SIZE && sys::poll(session.fd(Receiver), libc::POLLIN, 2000).is_ok_and(|seen| seen != 0) {
        if let Ok(n) = sys::receive(session.fd(Receiver), &mut buffer, MSG_DONTWAIT) {
            all.extend_from_slice(&buffer[..n]);
        }
    }
    let sent = writers.into_iter().all(|writer| writer.join().unwrap_or(false));
    let whole = all.chunks(SIZE).all(|chunk| chunk.iter().all(|byte| *byte == chunk[0]));
    session.note(format!("all sent: {sent}, {} bytes came, whole messages: {whole}", all.len()));
    session.exchange();
    Ok(())
}
