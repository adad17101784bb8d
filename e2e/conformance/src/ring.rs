//! A small io_uring(7): one submission at a time, completions as they come.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::sys::{self, Mapping};

pub const POLL_ADD: u8 = 6;
pub const SEND: u8 = 26;
pub const RECEIVE: u8 = 27;
pub const SEND_ZERO_COPY: u8 = 47;

/// A submission: `struct io_uring_sqe`, as far as it is used here.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Submission {
    pub operation: u8,
    pub flags: u8,
    pub priority: u16,
    pub fd: i32,
    pub offset: u64,
    pub address: u64,
    pub size: u32,
    /// MSG_* or POLL*.
    pub flags_of_operation: u32,
    pub user: u64,
    pub rest: [u64; 3],
}

/// A completion: `struct io_uring_cqe`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Completion {
    pub user: u64,
    pub result: i32,
    pub flags: u32,
}

/// `struct io_uring_params`: ten words, then where things are in both rings, ten words each.
#[repr(C)]
#[derive(Default)]
struct Parameters {
    words: [u32; 10],
    submissions: [u32; 10],
    completions: [u32; 10],
}

/// Where the submission entries are mapped from.
const ENTRIES_AT: i64 = 0x1000_0000;
const SUBMISSION_SIZE: usize = 64;
const COUNT: u32 = 8;

/// A ring.
pub struct Ring {
    fd: OwnedFd,
    ring: Mapping,
    entries: Mapping,
    parameters: Parameters,
}

impl Ring {
    pub fn new() -> Result<Self, Errno> {
        let mut parameters = Parameters::default();
        let fd = sys::ring_setup(COUNT, std::ptr::from_mut(&mut parameters) as usize)?;
        // SAFETY: the descriptor was just made and nobody else knows it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd as RawFd) };
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // Both rings are one mapping (IORING_FEAT_SINGLE_MMAP, since 5.4), as long as the longer.
        let submissions = parameters.submissions[6] as usize + parameters.words[0] as usize * 4;
        let completions = parameters.completions[5] as usize + parameters.words[1] as usize * size_of::<Completion>();
        let ring = sys::map_at(fd.as_raw_fd(), submissions.max(completions), protection, 0)?;
        let entries =
            sys::map_at(fd.as_raw_fd(), parameters.words[0] as usize * SUBMISSION_SIZE, protection, ENTRIES_AT)?;
        Ok(Self { fd, ring, entries, parameters })
    }

    fn word(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: the kernel said that a word is there; it lives as long as the mapping.
        unsafe { AtomicU32::from_ptr((self.ring.address() + offset as usize) as *mut u32) }
    }

    /// Hands one submission to the kernel.
    pub fn submit(&self, submission: Submission) -> sys::Answer {
        const { assert!(size_of::<Submission>() == SUBMISSION_SIZE) };
        let [_, tail, mask, .., array, _, _, _] = self.parameters.submissions;
        let at = self.word(tail).load(Ordering::Relaxed);
        let slot = at & self.word(mask).load(Ordering::Relaxed);
        let entry = (self.entries.address() + slot as usize * SUBMISSION_SIZE) as *mut Submission;
        // SAFETY: the slot is inside the mapping, and free: every submission is taken at once.
        unsafe { entry.write(submission) };
        self.word(array + slot * 4).store(slot, Ordering::Relaxed);
        self.word(tail).store(at.wrapping_add(1), Ordering::Release);
        sys::ring_enter(self.fd.as_raw_fd(), 1)
    }

    /// The next completion, if one comes in time.
    pub fn wait(&self, limit: Duration) -> Option<Completion> {
        let [head, tail, mask, _, _, entries, ..] = self.parameters.completions;
        let start = Instant::now();
        loop {
            let at = self.word(head).load(Ordering::Relaxed);
            if at != self.word(tail).load(Ordering::Acquire) {
                let slot = at & self.word(mask).load(Ordering::Relaxed);
                let entry = self.ring.address() + entries as usize + slot as usize * size_of::<Completion>();
                // SAFETY: the kernel has filled this slot and leaves it alone until the head has passed.
                let completion = unsafe { (entry as *const Completion).read() };
                self.word(head).store(at.wrapping_add(1), Ordering::Release);
                return Some(completion);
            }
            if start.elapsed() >= limit {
                return None;
            }
            // Completions of work that the kernel does in this task's name come with the next entry.
            let _ = sys::ring_enter(self.fd.as_raw_fd(), 0);
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}
