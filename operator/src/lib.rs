//! The operator: runs in the cluster, writes what nodes cannot write for themselves, and lies in nobody's path.
//!
//! observe -> plan -> apply:
//! * [`observe`] keeps what is known up to date, in every replica
//! * [`plan`](mod@plan) (pure) what must be done; [`rate_limiter`] (pure) when
//! * [`apply`] does it; [`api_error`] (pure) says what failed and what a person can do
//! * [`leader`] which replica may write; [`reconcile`] the leader's loop; [`run`] all of it together
//!
//! Outside: [`admin`], [`args`], [`metrics`].

#![forbid(unsafe_code)]

pub mod admin;
pub mod api_error;
pub mod apply;
pub mod args;
pub mod leader;
pub mod metrics;
pub mod observe;
pub mod plan;
pub mod rate_limiter;
pub mod reconcile;
pub mod run;

mod error;

pub use error::Error;
