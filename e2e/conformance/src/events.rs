//! epoll(7) on the sockets of a scene.

use std::os::fd::{AsFd, BorrowedFd, RawFd};

use anyhow::Result;
use meshaccel_e2e_harness::traffic::socket::Epoll;

use super::names;
use super::scene::{LIMIT, Scene, Who};

/// Everything but the ways of telling (edge, one-shot, exclusive).
pub const EVERYTHING: i32 = libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLOUT | libc::EPOLLRDHUP;

/// An epoll set that watches ends of a scene.
pub struct Watch {
    epoll: Epoll,
}

fn borrowed(fd: RawFd) -> BorrowedFd<'static> {
    assert!(fd >= 0, "a closed end cannot be watched");
    // SAFETY: the scene keeps the descriptor open while it is used; epoll forgets one that is closed.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

impl Watch {
    /// Watches one end.
    pub fn new(scene: &Scene, who: Who, events: i32) -> Result<Self> {
        let watch = Self { epoll: Epoll::new()? };
        watch.add(scene, who, events)?;
        Ok(watch)
    }

    pub fn add(&self, scene: &Scene, who: Who, events: i32) -> Result<()> {
        Ok(self.epoll.add(borrowed(scene.fd(who)), events, who as usize)?)
    }

    pub fn change(&self, scene: &Scene, who: Who, events: i32) -> Result<()> {
        Ok(self.epoll.change(borrowed(scene.fd(who)), events, who as usize)?)
    }

    /// What the set says without waiting.
    pub fn look(&self, scene: &mut Scene) {
        self.collect(scene, 0, "nothing");
    }

    /// What the set says when it has something to say.
    pub fn wait(&self, scene: &mut Scene) {
        self.collect(scene, LIMIT.as_millis() as i32, "hung");
    }

    /// What a set says that watches this set.
    pub fn look_from_outside(&self, scene: &mut Scene) -> Result<()> {
        let outer = Epoll::new()?;
        outer.add(self.epoll.as_fd(), libc::EPOLLIN, 0)?;
        let seen = outer.wait(0)?.len();
        scene.note(format!("the outer epoll sees {seen} ready"));
        Ok(())
    }

    /// One wait, as a sentence: for threads, which have no scene.
    pub fn wait_alone(&self) -> String {
        match self.epoll.wait(LIMIT.as_millis() as i32) {
            Ok(seen) if seen.is_empty() => "nothing".to_owned(),
            Ok(seen) => seen.iter().map(|(_, events)| names::events(*events)).collect::<Vec<_>>().join(" and "),
            Err(error) => error.kind().to_string(),
        }
    }

    fn collect(&self, scene: &mut Scene, milliseconds: i32, none: &str) {
        match self.epoll.wait(milliseconds) {
            Ok(seen) if seen.is_empty() => scene.note(format!("epoll: {none}")),
            Ok(mut seen) => {
                seen.sort_unstable();
                for (key, events) in seen {
                    let who = if key == Who::Sender as usize { Who::Sender } else { Who::Receiver };
                    scene.tell(who, format_args!("epoll: {}", names::events(events)));
                }
            }
            Err(error) => scene.note(format!("epoll: {error}")),
        }
    }
}
