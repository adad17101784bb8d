//! shutdown(2), in every order.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use libc::{MSG_NOSIGNAL, MSG_OOB, MSG_PEEK, SHUT_RD, SHUT_RDWR, SHUT_WR};
use nix::sys::signal::{sigaction, SaFlags, SigAction, SigHandler, SigSet, Signal};

use crate::Who::{self, Receiver, Sender};
use crate::{behaviours, Scene};
use super::close::aftermath;

behaviours! {
    "shutdown(2)":
        shut_down_writing_then_the_other,
        shut_down_the_other_first,
        shut_down_writing_with_bytes_waiting,
        shut_down_writing_and_go_on_reading,
        shut_down_reading,
        shut_down_reading_with_bytes_waiting,
        shut_down_reading_then_bytes_come,
        shut_down_reading_and_go_on_writing,
        shut_down_both_ways,
        shut_down_both_ways_with_bytes_waiting,
        shut_down_twice,
        shut_down_nonsense,
        shut_down_after_the_end,
        shut_down_at_both_ends_at_once;
    "send(2) EPIPE":
        send_after_shutting_down,
        send_after_the_other_has_read_the_end,
        send_after_both_have_read_the_end,
        send_after_shutting_down_raises_sigpipe,
        send_nothing_after_shutting_down;
}

fn shut_down_writing_then_the_other(scene: &mut Scene) -> Result<()> {
    scene.shut_down(Sender, SHUT_WR);
    scene.state(Sender);
    scene.state(Receiver);
    scene.poll_all(Receiver);
    scene.receive(Receiver, 10, 0);
    scene.shut_down(Receiver, SHUT_WR);
    scene.state(Sender);
    scene.state(Receiver);
    scene.poll_all(Sender);
    scene.poll_all(Receiver);
    scene.receive(Sender, 10, 0);
    Ok(())
}

fn shut_down_the_other_first(scene: &mut Scene) -> Result<()> {
    scene.shut_down(Receiver, SHUT_WR);
    let _ = scene.send(Sender, "still reads", 0);
    scene.receive(Receiver, 100, 0);
    scene.receive(Sender, 10, 0);
    scene.shut_down(Sender, SHUT_WR);
    scene.receive(Receiver, 10, 0);
    scene.poll_all(Receiver);
    Ok(())
}

fn shut_down_writing_with_bytes_waiting(scene: &mut Scene) -> Result<()> {
    for size in [10, 20_000, 30] {
        scene.write(Sender, size);
    }
    scene.shut_down(Sender, SHUT_WR);
    scene.poll_all(Receiver);
    scene.receive_all(Receiver, 20_040);
    scene.poll_all(Receiver);
    scene.receive(Receiver, 10, 0);
    Ok(())
}

fn shut_down_writing_and_go_on_reading(scene: &mut Scene) -> Result<()> {
    scene.shut_down(Sender, SHUT_WR);
    for text in ["one", "two", "three"] {
        let _ = scene.send(Receiver, text, 0);
        scene.poll_all(Sender);
        scene.receive(Sender, 10, 0);
    }
    scene.receive(Sender, 10, 0);
    Ok(())
}

fn shut_down_reading(scene: &mut Scene) -> Result<()> {
    scene.shut_down(Receiver, SHUT_RD);
    scene.poll_all(Receiver);
    scene.receive(Receiver, 10, 0);
    scene.receive(Receiver, 10, MSG_PEEK);
    scene.receive(Receiver, 10, MSG_OOB);
    scene.poll_all(Sender);
    Ok(())
}

fn shut_down_reading_with_bytes_waiting(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "waiting", 0);
    scene.shut_down(Receiver, SHUT_RD);
    scene.receive(Receiver, 4, 0);
    scene.receive(Receiver, 10, 0);
    scene.receive(Receiver, 10, 0);
    Ok(())
}

fn shut_down_reading_then_bytes_come(scene: &mut Scene) -> Result<()> {
    scene.shut_down(Receiver, SHUT_RD);
    let _ = scene.send(Sender, "after", 0);
    scene.poll_all(Receiver);
    scene.receive(Receiver, 10, 0);
    scene.receive(Receiver, 10, 0);
    let _ = scene.send(Sender, "again", 0);
    scene.receive(Receiver, 10, 0);
    Ok(())
}

fn shut_down_reading_and_go_on_writing(scene: &mut Scene) -> Result<()> {
    scene.shut_down(Receiver, SHUT_RD);
    let _ = scene.send(Receiver, "still writes", 0);
    scene.receive(Sender, 100, 0);
    scene.shut_down(Receiver, SHUT_WR);
    scene.receive(Sender, 100, 0);
    Ok(())
}

fn shut_down_both_ways(scene: &mut Scene) -> Result<()> {
    scene.shut_down(Sender, SHUT_RDWR);
    scene.poll_all(Sender);
    scene.poll_all(Receiver);
    aftermath(scene, Sender);
    scene.receive(Receiver, 10, 0);
    Ok(())
}

fn shut_down_both_ways_with_bytes_waiting(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Receiver, "unread", 0);
    let _ = scene.send(Sender, "sent before", 0);
    scene.shut_down(Sender, SHUT_RDWR);
    scene.receive(Receiver, 100, 0);
    scene.receive(Receiver, 100, 0);
    scene.receive(Sender, 100, 0);
    scene.receive(Sender, 100, 0);
    scene.close(Sender);
    scene.poll_all(Receiver);
    Ok(())
}

fn shut_down_twice(scene: &mut Scene) -> Result<()> {
    for how in [SHUT_WR, SHUT_WR, SHUT_RD, SHUT_RDWR] {
        scene.shut_down(Sender, how);
    }
    scene.receive(Receiver, 10, 0);
    scene.shut_down(Receiver, SHUT_RDWR);
    scene.shut_down(Receiver, SHUT_RDWR);
    scene.shut_down(Sender, SHUT_RDWR);
    Ok(())
}

fn shut_down_nonsense(scene: &mut Scene) -> Result<()> {
    for how in [3, -1] {
        let answer = crate::sys::shut_down(scene.fd(Sender), how);
        scene.tell(Sender, format_args!("shuts down {how}: {answer:?}"));
    }
    scene.exchange();
    Ok(())
}

fn shut_down_after_the_end(scene: &mut Scene) -> Result<()> {
    scene.reset(Sender);
    scene.shut_down(Receiver, SHUT_WR);
    scene.receive(Receiver, 10, 0);
    scene.shut_down(Receiver, SHUT_RDWR);
    scene.receive(Receiver, 10, 0);
    Ok(())
}

fn shut_down_at_both_ends_at_once(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "there", 0);
    let _ = scene.send(Receiver, "and back", 0);
    scene.shut_down(Sender, SHUT_WR);
    scene.shut_down(Receiver, SHUT_WR);
    for who in Who::BOTH {
        scene.poll_all(who);
        scene.receive(who, 100, 0);
        scene.receive(who, 100, 0);
    }
    Ok(())
}

fn send_after_shutting_down(scene: &mut Scene) -> Result<()> {
    scene.shut_down(Sender, SHUT_WR);
    let _ = scene.send(Sender, "too late", 0);
    let _ = scene.send(Sender, "too late", MSG_NOSIGNAL);
    let _ = scene.send(Sender, "!", MSG_OOB | MSG_NOSIGNAL);
    scene.poll_all(Sender);
    let _ = scene.send(Receiver, "still reads", 0);
    scene.receive(Sender, 100, 0);
    Ok(())
}

fn send_after_the_other_has_read_the_end(scene: &mut Scene) -> Result<()> {
    scene.shut_down(Sender, SHUT_WR);
    scene.receive(Receiver, 10, 0);
    for _ in 0..2 {
        let _ = scene.send(Sender, "too late", MSG_NOSIGNAL);
        scene.poll_all(Receiver);
        scene.receive(Receiver, 10, 0);
    }
    Ok(())
}

fn send_after_both_have_read_the_end(scene: &mut Scene) -> Result<()> {
    for who in Who::BOTH {
        scene.shut_down(who, SHUT_WR);
        scene.receive(who.other(), 10, 0);
    }
    for who in Who::BOTH {
        let _ = scene.send(who, "too late", MSG_NOSIGNAL);
        scene.receive(who.other(), 10, 0);
    }
    Ok(())
}

static PIPES: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_: i32) {
    PIPES.fetch_add(1, Ordering::Relaxed);
}

fn send_after_shutting_down_raises_sigpipe(scene: &mut Scene) -> Result<()> {
    scene.shut_down(Sender, SHUT_WR);
    PIPES.store(0, Ordering::Relaxed);
    let action = SigAction::new(SigHandler::Handler(count), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler only adds to an atomic number.
    let before = unsafe { sigaction(Signal::SIGPIPE, &action) }?;
    for flags in [MSG_NOSIGNAL, 0, 0] {
        let _ = scene.send(Sender, "too late", flags);
        scene.note(format!("SIGPIPE came {} times", PIPES.load(Ordering::Relaxed)));
    }
    // SAFETY: what was there before.
    unsafe { sigaction(Signal::SIGPIPE, &before) }?;
    Ok(())
}

fn send_nothing_after_shutting_down(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "", 0);
    scene.shut_down(Sender, SHUT_WR);
    let _ = scene.send(Sender, "", MSG_NOSIGNAL);
    scene.receive(Receiver, 10, 0);
    Ok(())
}
