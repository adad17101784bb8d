//! The process' own memory.

/// Gives free memory back to the kernel. glibc keeps what start-up used, which is many times what the daemon needs later.
pub fn trim() {
    // SAFETY: touches nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}
