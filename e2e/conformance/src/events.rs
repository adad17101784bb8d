//! epoll(7) on the sockets of a session.

use std::os::fd::{AsFd, BorrowedFd, RawFd};

use anyhow::Result;
use meshaccel_e2e_harness::traffic::socket::Epoll;

use super::names;
use super::session::{LIMIT, Session, Who};

/// Everything but the ways of telling (edge, one-shot, exclusive).
pub const EVERYTHING: i32 = libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLOUT | libc::EPOLLRDHUP;

/// An epoll set that watches ends of a session.
pub struct Watch {
    epoll: Epoll,
}

fn borrowed(fd: RawFd) -> BorrowedFd<'static> {
    assert!(fd >= 0, "a closed end cannot be watched");
    // SAFETY: the session keeps the descriptor open while it is used; epoll forgets one that is closed.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

impl Watch {
    /// Watches one end.
    pub fn new(session: &Session, who: Who, events: i32) -> Result<Self> {
        let watch = Self { epoll: Epoll::new()? };
        watch.add(session, who, events)?;
        Ok(watch)
    }

    pub fn add(&self, session: &Session, who: Who, events: i32) -> Result<()> {
        Ok(self.epoll.add(borrowed(session.fd(who)), events, who as usize)?)
    }

    pub fn change(&self, session: &Session, who: Who, events: i32) -> Result<()> {
        Ok(self.epoll.change(borrowed(session.fd(who)), events, who as usize)?)
    }

    /// What the set says without waiting.
    pub fn look(&self, session: &mut Session) {
        self.collect(session, 0, "nothing");
    }

    /// What the set says when it has something to say.
    pub fn wait(&self, session: &mut Session) {
        self.collect(session, LIMIT.as_millis() as i32, "hung");
    }

    /// What a set says that watches this set.
    pub fn look_from_outside(&self, session: &mut Session) -> Result<()> {
        let outer = Epoll::new()?;
        outer.add(self.epoll.as_fd(), libc::EPOLLIN, 0)?;
        let seen = outer.wait(0)?.len();
        session.note(format!("the outer epoll sees {seen} ready"));
        Ok(())
    }

    /// One wait, as a sentence: for threads, which have no session.
    pub fn wait_alone(&self) -> String {
        match self.epoll.wait(LIMIT.as_millis() as i32) {
            Ok(seen) if seen.is_empty() => "nothing".to_owned(),
            Ok(seen) => seen.iter().map(|(_, events)| names::events(*events)).collect::<Vec<_>>().join(" and "),
            Err(error) => error.kind().to_string(),
        }
    }

    fn collect(&self, session: &mut Session, milliseconds: i32, none: &str) {
        match self.epoll.wait(milliseconds) {
            Ok(seen) if seen.is_empty() => session.note(format!("epoll: {none}")),
            Ok(mut seen) => {
                seen.sort_unstable();
                for (key, events) in seen {
                    let who = if key == Who::Sender as usize { Who::Sender } else { Who::Receiver };
                    session.tell(who, format_args!("epoll: {}", names::events(events)));
                }
            }
            Err(error) => session.note(format!("epoll: {error}")),
        }
    }
}
