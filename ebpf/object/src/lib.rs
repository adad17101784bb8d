//! The compiled kernel programs as bytes, ready for a loader. `build.rs` compiles them and says with what.

/// Bytes, aligned as ELF wants them.
#[repr(C, align(8))]
struct Aligned<T: ?Sized>(T);

static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/redirect.bpf.o")));

/// The ELF object of redirection: programs, maps and BTF.
pub static REDIRECT: &[u8] = &ALIGNED.0;

/// The compiler that built it, e.g. `rustc 1.96.0 (Debian)` or `nightly with build-std`.
pub const BUILT_WITH: &str = env!("MESHACCEL_BPF_COMPILER");
