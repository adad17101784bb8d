//! How much is there: FIONREAD, SIOCOUTQ, TCP_INQ.

use anyhow::Result;
use libc::MSG_PEEK;

use crate::Who::{self, Receiver, Sender};
use crate::options::{FIONREAD, SIOCATMARK, SIOCOUTQ, SIOCOUTQNSD, TCP_INQ};
use crate::{behaviours, Scene};

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

fn count_of_what_waits(scene: &mut Scene) -> Result<()> {
    scene.ask(Receiver, FIONREAD);
    let _ = scene.send(Sender, "0123456789", 0);
    scene.ask(Receiver, FIONREAD);
    scene.receive(Receiver, 4, 0);
    scene.ask(Receiver, FIONREAD);
    scene.receive(Receiver, 6, 0);
    scene.ask(Receiver, FIONREAD);
    Ok(())
}

fn count_of_several_messages(scene: &mut Scene) -> Result<()> {
    for size in [1, 1000, 30_000, 7] {
        scene.write(Sender, size);
        scene.ask(Receiver, FIONREAD);
    }
    scene.receive(Receiver, 500, 0);
    scene.ask(Receiver, FIONREAD);
    scene.receive_all(Receiver, 30_508);
    scene.ask(Receiver, FIONREAD);
    Ok(())
}

/// More than the redirected queue may hold: the rest waits in TCP's queue.
fn count_of_more_than_is_redirected(scene: &mut Scene) -> Result<()> {
    scene.write_many(Sender, 100, 100);
    scene.ask(Receiver, FIONREAD);
    scene.receive_all(Receiver, 9000);
    scene.ask(Receiver, FIONREAD);
    scene.receive_all(Receiver, 1000);
    scene.ask(Receiver, FIONREAD);
    Ok(())
}

fn count_at_the_end(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "last", 0);
    scene.shut_down(Sender, libc::SHUT_WR);
    scene.ask(Receiver, FIONREAD);
    scene.receive(Receiver, 2, 0);
    scene.ask(Receiver, FIONREAD);
    scene.receive(Receiver, 2, 0);
    scene.ask(Receiver, FIONREAD);
    scene.receive(Receiver, 2, 0);
    scene.ask(Receiver, FIONREAD);
    Ok(())
}

fn count_after_a_peek(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "peeked", 0);
    scene.receive(Receiver, 3, MSG_PEEK);
    scene.ask(Receiver, FIONREAD);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

/// Programs that size their buffer by FIONREAD expect one call to fill it, also when the bytes came by both paths.
fn count_is_what_a_receive_returns(scene: &mut Scene) -> Result<()> {
    scene.write_many(Sender, 80, 10);
    scene.ask(Receiver, FIONREAD);
    scene.receive(Receiver, 800, 0);
    scene.exchange();
    Ok(())
}

fn count_of_what_is_not_acknowledged(scene: &mut Scene) -> Result<()> {
    scene.write(Sender, 10);
    scene.ask(Sender, SIOCOUTQNSD);
    scene.receive(Receiver, 10, 0);
    // An answer carries the acknowledgement.
    let _ = scene.send(Receiver, "answer", 0);
    scene.receive(Sender, 10, 0);
    scene.ask(Sender, SIOCOUTQ);
    Ok(())
}

fn mark_without_urgent_data(scene: &mut Scene) -> Result<()> {
    scene.ask(Receiver, SIOCATMARK);
    let _ = scene.send(Sender, "normal", 0);
    scene.ask(Receiver, SIOCATMARK);
    scene.receive(Receiver, 10, 0);
    Ok(())
}

/// recvmsg(2), and what TCP_INQ says is left.
fn inquire(scene: &mut Scene, who: Who, size: usize, flags: i32) {
    let extra = scene.receive_message(who, &[size], flags);
    for (level, kind, data) in extra.control {
        if let (libc::IPPROTO_TCP, libc::TCP_CM_INQ, Ok(left)) = (level, kind, data.try_into()) {
            scene.tell(who, format_args!("still has {}", i32::from_ne_bytes(left)));
        }
    }
}

fn inquiry_with_each_message(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Receiver, TCP_INQ, 1);
    scene.get(Receiver, TCP_INQ);
    let _ = scene.send(Sender, "0123456789", 0);
    inquire(scene, Receiver, 4, 0);
    inquire(scene, Receiver, 100, 0);
    inquire(scene, Receiver, 100, 0);
    scene.exchange();
    Ok(())
}

fn inquiry_set_while_bytes_wait(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "waiting", 0);
    let _ = scene.set(Receiver, TCP_INQ, 1);
    inquire(scene, Receiver, 4, 0);
    let _ = scene.send(Sender, " and more", 0);
    inquire(scene, Receiver, 5, 0);
    inquire(scene, Receiver, 100, 0);
    Ok(())
}

fn inquiry_of_a_peek(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Receiver, TCP_INQ, 1);
    let _ = scene.send(Sender, "peeked", 0);
    inquire(scene, Receiver, 2, MSG_PEEK);
    inquire(scene, Receiver, 100, 0);
    Ok(())
}

fn inquiry_at_the_end(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Receiver, TCP_INQ, 1);
    let _ = scene.send(Sender, "last", 0);
    scene.shut_down(Sender, libc::SHUT_WR);
    inquire(scene, Receiver, 3, 0);
    inquire(scene, Receiver, 100, 0);
    inquire(scene, Receiver, 100, 0);
    Ok(())
}

fn inquiry_turned_off_again(scene: &mut Scene) -> Result<()> {
    let _ = scene.set(Receiver, TCP_INQ, 1);
    let _ = scene.send(Sender, "counted", 0);
    inquire(scene, Receiver, 3, 0);
    let _ = scene.set(Receiver, TCP_INQ, 0);
    inquire(scene, Receiver, 100, 0);
    let _ = scene.set(Receiver, TCP_INQ, 2);
    scene.exchange();
    inquire(scene, Receiver, 10, 0);
    Ok(())
}
