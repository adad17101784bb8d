//! Tests of the kernel programs: the real object under real sockets, in private network namespaces. They are in `tests/`; here is
//!
//! * [`soak`] everything at once, for an hour

pub mod soak;
