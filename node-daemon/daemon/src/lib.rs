//! The node daemon: one a node, privileged. Drives the capabilities by what the sources say, and tells what became of it.
//!
//! * [`daemon`] the loop, [`standalone`] or in a cluster ([`run`], which reports by [`report`])
//! * Commands: [`args`], [`probe`], [`connections`], [`switch`], [`uninstall`]. Outside: [`admin`], [`metrics`], [`status`].

#![forbid(unsafe_code)]

pub mod admin;
pub mod args;
pub mod connections;
pub mod daemon;
pub mod metrics;
pub mod probe;
pub mod report;
pub mod run;
pub mod standalone;
pub mod status;
pub mod switch;
pub mod uninstall;

mod error;

pub use error::Error;
