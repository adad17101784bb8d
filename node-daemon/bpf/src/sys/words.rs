//! An array map in this process's memory (BPF_F_MMAPABLE, Linux 5.5): words that programs read while they are written.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// The values of the array, as words.
#[derive(Debug)]
pub struct Words {
    first: NonNull<AtomicU64>,
    count: usize,
}

// SAFETY: the mapping is this value's own until it is dropped, and what is in it are atomics.
unsafe impl Send for Words {}
// SAFETY: as above.
unsafe impl Sync for Words {}

impl Words {
    /// Maps so many words of the array.
    ///
    /// # Errors
    /// The array has fewer, or was not made to be mapped.
    pub fn map(array: &OwnedFd, count: usize) -> io::Result<Self> {
        let length = NonZeroUsize::new(count * size_of::<u64>()).ok_or(io::ErrorKind::InvalidInput)?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let memory = unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, array, 0) }?;
        Ok(Self { first: memory.cast(), count })
    }

    /// Writes a word whole, after all that was written before. False: there is none of that index.
    pub fn store(&self, index: usize, word: u64) -> bool {
        if index >= self.count {
            return false;
        }
        // SAFETY: within the mapping, which is aligned to a page.
        unsafe { self.first.add(index).as_ref() }.store(word, Ordering::Release);
        true
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        // SAFETY: what `map` mapped, which nobody refers to any more.
        let _ = unsafe { munmap(self.first.cast(), self.count * size_of::<u64>()) };
    }
}
