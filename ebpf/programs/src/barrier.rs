//! The one barrier that BPF offers: an atomic operation that fetches (Linux 5.12). One whose result is not fetched orders nothing
//! on arm64, and neither do plain or volatile loads and stores. Where orders are needed is said in `meshaccel_decide::redirect::leaving`.
//!
//! Rust's own atomics have no such operations on this target; on the host, where nothing of this runs, there are those.

#![expect(
    clippy::not_unsafe_ptr_arg_deref,
    reason = "pointers into values of maps, which live as long as the program runs; the verifier refuses any other"
)]

/// What is before it happens before what is after it, as seen from any processor. Adds one to `counter`, a live value that
/// is this program's to change.
#[inline(always)]
pub fn barrier(counter: *mut u64) {
    add(counter, 1);
}

/// Adds, and gives what was there before. A barrier, too.
#[inline(always)]
pub fn add(value: *mut u64, more: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let mut word = more;
        // SAFETY: a live value, as callers promise.
        unsafe {
            core::arch::asm!("{word} = atomic_fetch_add((u64 *)({value} + 0), {word})",
                value = in(reg) value, word = inout(reg) word, options(nostack));
        }
        word
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        use core::sync::atomic::{AtomicU64, Ordering};
        // SAFETY: as above.
        unsafe { AtomicU64::from_ptr(value) }.fetch_add(more, Ordering::SeqCst)
    }
}

/// Sets bits, and gives what was there before. A barrier, too.
#[inline(always)]
pub fn set(value: *mut u32, bits: u32) -> u32 {
    #[cfg(target_arch = "bpf")]
    {
        let mut word = bits;
        // SAFETY: as above.
        unsafe {
            core::arch::asm!("{word} = atomic_fetch_or((u32 *)({value} + 0), {word})",
                value = in(reg) value, word = inout(wreg) word, options(nostack));
        }
        word
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        use core::sync::atomic::{AtomicU32, Ordering};
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr(value) }.fetch_or(bits, Ordering::SeqCst)
    }
}

/// Puts `to` in the place of `from`, unless something else is there by now. A barrier, too.
#[inline(always)]
pub fn replace(value: *mut u32, from: u32, to: u32) -> bool {
    #[cfg(target_arch = "bpf")]
    {
        let mut seen = from;
        // SAFETY: a live value, as callers promise. The instruction compares with r0, and has it hold what was there.
        unsafe {
            core::arch::asm!("w0 = cmpxchg32_32({value} + 0, w0, {to})",
                value = in(reg) value, to = in(wreg) to, inout("w0") seen, options(nostack));
        }
        seen == from
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        use core::sync::atomic::{AtomicU32, Ordering};
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr(value) }.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}
