//! The node daemon: one a node, privileged. It decides nothing about a message (the kernel programs do, by
//! `meshaccel-decide`); it decides which pods the programs look at, and keeps them running.
//!
//! observe -> plan -> apply:
//! * [`source`] objects from a folder of manifests or an API server; [`select`] (pure) which pods, and how
//! * [`observe`] where those pods live; [`plan`] (pure) what to do; [`apply`] does it; [`adopt`] (pure) pairs old connections
//! * [`kernel`] programs, maps, pins; [`sys`] system calls
//! * [`node`] one round of all that; [`daemon`] the loop around it, [`standalone`] or in a cluster ([`run`], which reports by
//!   [`report`])
//! * [`probe`] what this kernel can do
//!
//! Commands: [`args`], [`connections`], [`switch`], [`uninstall`]. Outside: [`admin`], [`metrics`], [`status`].

pub mod admin;
pub mod adopt;
pub mod apply;
pub mod args;
pub mod connections;
pub mod daemon;
pub mod kernel;
pub mod metrics;
pub mod node;
pub mod observe;
pub mod plan;
pub mod probe;
pub mod report;
pub mod run;
pub mod select;
pub mod source;
pub mod standalone;
pub mod status;
pub mod switch;
pub mod sys;
pub mod uninstall;

mod error;

pub use error::Error;
