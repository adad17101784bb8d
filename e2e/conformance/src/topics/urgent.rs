//! Urgent data: MSG_OOB, SO_OOBINLINE, SIOCATMARK, POLLPRI.

use anyhow::Result;
use libc::{MSG_DONTWAIT, MSG_OOB, MSG_PEEK, POLLIN, POLLPRI, POLLRDBAND};

use crate::Who::{Receiver, Sender};
use crate::events::{EVERYTHING, Watch};
use crate::options::{FIONREAD, SIOCATMARK, SO_OOBINLINE};
use crate::{behaviours, Scene};

behaviours! {
    "tcp(7) MSG_OOB":
        urgent_byte_alone,
        urgent_byte_between_others,
        urgent_byte_after_waiting_bytes,
        urgent_byte_at_the_end_of_a_message,
        urgent_byte_inline,
        urgent_byte_turned_inline_while_it_waits,
        urgent_byte_peeked,
        urgent_byte_never_read,
        urgent_byte_of_nothing,
        urgent_bytes_one_after_the_other,
        urgent_byte_before_the_end,
        urgent_byte_counts,
        urgent_byte_back_and_forth;
    "epoll(7) EPOLLPRI":
        urgent_byte_by_epoll,
        urgent_byte_by_poll_of_bands,
}

fn urgent_byte_alone(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "!", MSG_OOB);
    scene.poll(Receiver, POLLIN | POLLPRI);
    scene.ask(Receiver, SIOCATMARK);
    scene.receive(Receiver, 10, MSG_OOB);
    scene.receive(Receiver, 10, MSG_OOB);
    scene.receive(Receiver, 10, 0);
    scene.exchange();
    Ok(())
}

fn urgent_byte_between_others(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "before", 0);
    let _ = scene.send(Sender, "!", MSG_OOB);
    let _ = scene.send(Sender, "after", 0);
    scene.poll(Receiver, POLLIN | POLLPRI);
    scene.receive(Receiver, 100, 0);
    scene.ask(Receiver, SIOCATMARK);
    scene.receive(Receiver, 10, MSG_OOB);
    scene.receive(Receiver, 100, 0);
    scene.ask(Receiver, SIOCATMARK);
    scene.exchange();
    Ok(())
}

fn urgent_byte_after_waiting_bytes(scene: &mut Scene) -> Result<()> {
    scene.write(Sender, 5000);
    scene.receive(Receiver, 1000, 0);
    let _ = scene.send(Sender, "!", MSG_OOB);
    scene.receive(Receiver, 1, MSG_OOB);
    scene.receive(Receiver, 10_000, 0);
    scene.receive(Receiver, 10_000, 0);
    Ok(())
}

fn urgent_byte_at_the_end_of_a_message(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "message!", MSG_OOB);
    scene.receive(Receiver, 100, 0);
    scene.receive(Receiver, 100, MSG_OOB);
    let _ = scene.send(Sender, "next", 0);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn urgent_byte_inline(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Receiver, SO_OOBINLINE, 1);
    let _ = scene.send(Sender, "before", 0);
    let _ = scene.send(Sender, "!", MSG_OOB);
    let _ = scene.send(Sender, "after", 0);
    scene.poll(Receiver, POLLIN | POLLPRI);
    scene.receive(Receiver, 100, 0);
    scene.ask(Receiver, SIOCATMARK);
    scene.receive(Receiver, 100, MSG_OOB);
    scene.receive(Receiver, 100, 0);
    scene.poll(Receiver, POLLIN | POLLPRI);
    Ok(())
}

fn urgent_byte_turned_inline_while_it_waits(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "a!", MSG_OOB);
    let _ = scene.set(Receiver, SO_OOBINLINE, 1);
    let _ = scene.send(Sender, "b", 0);
    scene.receive(Receiver, 100, 0);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn urgent_byte_peeked(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "!", MSG_OOB);
    scene.receive(Receiver, 10, MSG_OOB | MSG_PEEK);
    scene.receive(Receiver, 10, MSG_OOB | MSG_PEEK | MSG_DONTWAIT);
    scene.receive(Receiver, 10, MSG_OOB);
    Ok(())
}

fn urgent_byte_never_read(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "a", 0);
    let _ = scene.send(Sender, "!", MSG_OOB);
    let _ = scene.send(Sender, "b", 0);
    scene.receive(Receiver, 100, 0);
    scene.receive(Receiver, 100, 0);
    scene.receive(Receiver, 100, MSG_OOB);
    scene.receive(Receiver, 100, 0);
    scene.exchange();
    Ok(())
}

fn urgent_byte_of_nothing(scene: &mut Scene) -> Result<()> {
    scene.receive(Receiver, 1, MSG_OOB);
    let _ = scene.send(Sender, "", MSG_OOB);
    let _ = scene.send(Sender, "normal", 0);
    scene.receive(Receiver, 1, MSG_OOB);
    scene.ask(Receiver, SIOCATMARK);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn urgent_bytes_one_after_the_other(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "1", MSG_OOB);
    let _ = scene.send(Sender, "2", MSG_OOB);
    scene.receive(Receiver, 1, MSG_OOB);
    scene.receive(Receiver, 100, 0);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn urgent_byte_before_the_end(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "!", MSG_OOB);
    scene.close(Sender);
    scene.poll_all(Receiver);
    scene.receive(Receiver, 1, MSG_OOB);
    scene.receive(Receiver, 100, 0);
    scene.poll_all(Receiver);
    Ok(())
}

fn urgent_byte_counts(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "ab", 0);
    let _ = scene.send(Sender, "!", MSG_OOB);
    scene.ask(Receiver, FIONREAD);
    let _ = scene.send(Sender, "cd", 0);
    scene.ask(Receiver, FIONREAD);
    scene.receive(Receiver, 100, 0);
    scene.ask(Receiver, FIONREAD);
    scene.receive(Receiver, 100, 0);
    scene.ask(Receiver, FIONREAD);
    Ok(())
}

fn urgent_byte_back_and_forth(scene: &mut Scene) -> Result<()> {
    for _ in 0..3 {
        let _ = scene.send(Sender, "?", MSG_OOB);
        scene.receive(Receiver, 1, MSG_OOB);
        let _ = scene.send(Receiver, "!", MSG_OOB);
        scene.receive(Sender, 1, MSG_OOB);
        scene.exchange();
    }
    Ok(())
}

fn urgent_byte_by_epoll(scene: &mut Scene) -> Result<()> {
    let watch = Watch::new(scene, Receiver, EVERYTHING | libc::EPOLLET)?;
    watch.wait(scene);
    let _ = scene.send(Sender, "!", MSG_OOB);
    watch.wait(scene);
    scene.receive(Receiver, 1, MSG_OOB);
    watch.look(scene);
    let _ = scene.send(Sender, "normal", 0);
    watch.wait(scene);
    scene.receive(Receiver, 100, 0);
    watch.look(scene);
    Ok(())
}

fn urgent_byte_by_poll_of_bands(scene: &mut Scene) -> Result<()> {
    scene.poll_all(Receiver);
    let _ = scene.send(Sender, "a", 0);
    scene.poll_all(Receiver);
    let _ = scene.send(Sender, "!", MSG_OOB);
    scene.poll(Receiver, POLLRDBAND);
    scene.poll(Receiver, POLLPRI);
    scene.poll_all(Receiver);
    scene.receive(Receiver, 10, 0);
    scene.poll_all(Receiver);
    Ok(())
}
