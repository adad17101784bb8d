//! Redirection: sockets of one machine exchange bytes without the stack. It decides nothing about a message (the kernel programs do, by
//! `meshaccel-decide`); it decides which pods the programs look at, and keeps them running.
//!
//! * [`select`] (pure) which pods, and how
//! * [`plan`] (pure) what to do; [`apply`] does it; [`import`] (pure) pairs old connections; [`pods`] what is planned with
//! * [`kernel`] programs, maps, pins
//! * [`node`] one round of all that
//! * [`installation`] all that in this machine's kernel, or why it is not
//! * [`probe`] what this kernel can do, or why it cannot
//! * [`column`] drives all that as the daemon asks; [`report`] (pure) and [`status`] what it tells, [`view`] to whom asks
//! * [`connections`], [`switch`], [`retire`] what people ask for

#![forbid(unsafe_code)]

pub mod apply;
pub mod column;
pub mod connections;
pub mod import;
pub mod installation;
pub mod kernel;
pub mod node;
pub mod plan;
pub mod pods;
pub mod probe;
pub mod report;
pub mod retire;
pub mod select;
pub mod status;
pub mod switch;
pub mod view;

mod error;
mod obstacle;
mod same;

pub use error::Error;
