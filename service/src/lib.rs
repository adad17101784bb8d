//! What the node daemon and the operator have in common because both are services: [`telemetry`], errors on one line
//! ([`Chain`]), pauses after failures ([`Backoff`]) and the HTTP endpoint ([`admin`]). Nothing here knows what they do.

#![forbid(unsafe_code)]

pub mod admin;
pub mod telemetry;

mod backoff;
mod chain;

pub use backoff::Backoff;
pub use chain::Chain;
