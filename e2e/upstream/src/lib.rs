//! Tests that others wrote for TCP: other projects' own test suites, run outside and inside an accelerated network
//! namespace. They know nothing of acceleration, so whatever they expect is what TCP does, and the same test cases must
//! pass, fail and be skipped in both places.
//!
//! * [`outcome`] what became of each test case, and where two runs differ
//! * [`fixture`] a namespace and a folder to run programs in; [`suite`] what a suite must offer, and running all of it
//! * [`verdict`] running what differs again, and judging it
//! * [`python`] CPython's tests; [`golang`] those of Go's standard library
//! * [`servers`] nginx and redis without a sidecar between
//! * [`comparison`] the two namespaces, the daemon, and what it redirected

pub mod comparison;
pub mod fixture;
pub mod golang;
pub mod outcome;
pub mod python;
pub mod servers;
pub mod suite;
pub mod verdict;

/// True when `MESHACCEL_UPSTREAM=all` asks for everything: minutes more than `make test` has.
pub fn everything() -> bool {
    std::env::var_os("MESHACCEL_UPSTREAM").is_some_and(|value| value == "all")
}
