//! Several threads on one socket.

use anyhow::Result;
use libc::MSG_DONTWAIT;

use crate::Who::{self, Receiver, Sender};
use crate::{behaviours, names, sys, Scene};

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

fn reader(scene: &Scene, who: Who) -> Call {
    let fd = scene.fd(who);
    Box::new(move || {
        let mut buffer = [0; 100];
        let answer = sys::receive(fd, &mut buffer, 0);
        format!("{} {}", names::answer(answer), names::bytes(&buffer[..answer.unwrap_or(0)]))
    })
}

fn two_readers_get_a_message_each(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    let calls = vec![reader(scene, Receiver), reader(scene, Receiver)];
    scene.meanwhile_all("recv", calls, |scene, waiting| {
        let _ = scene.send(Sender, "one", 0);
        // One of the two takes it before the next comes.
        scene.wait_for_one(waiting);
        let _ = scene.send(Sender, "two", 0);
    });
    scene.receive(Receiver, 100, MSG_DONTWAIT);
    Ok(())
}

fn two_readers_and_the_end(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    let calls = vec![reader(scene, Receiver), reader(scene, Receiver)];
    scene.meanwhile_all("recv", calls, |scene, _| scene.close(Sender));
    Ok(())
}

fn two_readers_are_let_go_by_a_shutdown(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    let calls = vec![reader(scene, Receiver), reader(scene, Receiver)];
    scene.meanwhile_all("recv", calls, |scene, _| scene.shut_down(Receiver, libc::SHUT_RDWR));
    scene.receive(Sender, 10, 0);
    Ok(())
}

fn a_reader_and_a_poller(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    let fd = scene.fd(Receiver);
    let poller: Call = Box::new(move || {
        let answer = sys::poll(fd, libc::POLLIN | libc::POLLRDHUP, 2000);
        names::answer(answer.map(|events| names::events(events.into())))
    });
    scene.meanwhile_all("poll", vec![poller], |scene, _| {
        scene.shut_down(Sender, libc::SHUT_WR);
    });
    scene.receive(Receiver, 10, MSG_DONTWAIT);
    Ok(())
}

fn a_reader_and_a_writer_of_one_socket(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    let calls = vec![reader(scene, Receiver)];
    scene.meanwhile_all("recv", calls, |scene, _| {
        for text in ["one", "two", "three"] {
            let _ = scene.send(Receiver, text, 0);
        }
        scene.receive(Sender, 100, 0);
        let _ = scene.send(Sender, "answer", 0);
    });
    scene.exchange();
    Ok(())
}

fn a_reader_is_let_go_by_a_shutdown_of_reading(scene: &mut Scene) -> Result<()> {
    scene.set_blocking(Receiver, true);
    let calls = vec![reader(scene, Receiver)];
    scene.meanwhile_all("recv", calls, |scene, _| scene.shut_down(Receiver, libc::SHUT_RD));
    Ok(())
}

/// A stream keeps each call's bytes together, whoever calls.
fn two_writers_send_whole_messages(scene: &mut Scene) -> Result<()> {
    const EACH: usize = 300;
    const SIZE: usize = 40;
    let fd = scene.fd(Sender);
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
    while all.len() < 2 * EACH * SIZE && sys::poll(scene.fd(Receiver), libc::POLLIN, 2000).is_ok_and(|seen| seen != 0) {
        if let Ok(n) = sys::receive(scene.fd(Receiver), &mut buffer, MSG_DONTWAIT) {
            all.extend_from_slice(&buffer[..n]);
        }
    }
    let sent = writers.into_iter().all(|writer| writer.join().unwrap_or(false));
    let whole = all.chunks(SIZE).all(|chunk| chunk.iter().all(|byte| *byte == chunk[0]));
    scene.note(format!("all sent: {sent}, {} bytes came, whole messages: {whole}", all.len()));
    scene.exchange();
    Ok(())
}
