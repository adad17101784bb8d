//! A small io_uring(7): one submission at a time, completions as they come.

use std::os::fd::RawFd;
use std::time::Duration;

use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use nix::errno::Errno;

use super::sys::Answer;

/// What the kernel is asked to do; its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    PollAdd = 6,
    Send = 26,
    Receive = 27,
    SendZeroCopy = 47,
}

impl Operation {
    /// `flags`: MSG_* or POLL*.
    fn entry(self, fd: RawFd, buffer: &mut [u8], flags: i32) -> squeue::Entry {
        let (fd, address, size) = (Fd(fd), buffer.as_mut_ptr(), buffer.len() as u32);
        let entry = match self {
            Self::PollAdd => opcode::PollAdd::new(fd, flags as u32).build(),
            Self::Send => opcode::Send::new(fd, address, size).flags(flags).build(),
            Self::Receive => opcode::Recv::new(fd, address, size).flags(flags).build(),
            Self::SendZeroCopy => opcode::SendZc::new(fd, address, size).flags(flags).build(),
        };
        entry.user_data(self as u64)
    }
}

/// A ring.
pub struct Ring(IoUring);

impl Ring {
    pub fn new() -> std::io::Result<Self> {
        IoUring::new(8).map(Self)
    }

    /// Hands one submission to the kernel. The buffer must stay until it is completed, or until the connection is shut down.
    pub fn submit(&mut self, operation: Operation, fd: RawFd, buffer: &mut [u8], flags: i32) -> Answer {
        let entry = operation.entry(fd, buffer, flags);
        // SAFETY: behaviours keep the buffer for as long.
        unsafe { self.0.submission().push(&entry) }.map_err(|_| Errno::EBUSY)?;
        self.0.submit().map_err(|error| error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw))
    }

    /// The next completion, if one comes in time.
    pub fn wait(&mut self, limit: Duration) -> Option<cqueue::Entry> {
        if let Some(completion) = self.0.completion().next() {
            return Some(completion);
        }
        let limit = Timespec::from(limit);
        // Whether it was in time is to be seen below.
        let _ = self.0.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&limit));
        self.0.completion().next()
    }
}
