//! The compiled kernel programs as bytes, ready for a loader. `build.rs` compiles them and says with what.

/// Bytes, aligned as ELF wants them.
#[repr(C, align(8))]
struct Aligned<T: ?Sized>(T);

macro_rules! object {
    ($name:literal) => {{
        static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".bpf.o")));
        &ALIGNED.0
    }};
}

/// The ELF object of redirection: programs, maps and BTF.
pub static REDIRECT: &[u8] = object!("redirect");

/// The same of the translation of Service addresses.
pub static SERVICES: &[u8] = object!("services");

/// The compiler that built it, e.g. `rustc 1.96.0 (Debian)` or `nightly with build-std`.
pub const BUILT_WITH: &str = env!("MESHACCEL_BPF_COMPILER");
