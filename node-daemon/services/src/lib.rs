//! Services: their addresses become endpoints when an application connects or sends, so that no packet needs NAT.
//!
//! * [`kernel`] programs, maps, pins
//!
//! This is the capability's lowest floor, and the first: the daemon does not drive it yet.

#![warn(missing_docs, clippy::missing_errors_doc)]
#![forbid(unsafe_code)]

pub mod kernel;
