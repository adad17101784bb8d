//! What the kernel programs of all capabilities are written with, where aya has nothing of the kind: [`barrier`]; and what each object has
//! beside its programs: [`object`].

#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]
#![cfg_attr(not(test), no_std)]

pub mod barrier;

/// What each object has beside its programs: a licence, and a handler of panics, which the verifier keeps out. On the host it is an empty
/// binary.
///
/// Some helpers are reserved for programs under a GPL-compatible licence (bpf_probe_read_kernel, for one). The string says what the programs
/// may call; the files are Apache-2.0 OR GPL-2.0-only.
#[macro_export]
macro_rules! object {
    () => {
        #[cfg(not(target_arch = "bpf"))]
        fn main() {}

        #[cfg(target_arch = "bpf")]
        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo) -> ! {
            // The verifier refuses programs that could get here.
            loop {}
        }

        #[unsafe(link_section = "license")]
        #[unsafe(no_mangle)]
        static LICENSE: [u8; 4] = *b"GPL\0";
    };
}
