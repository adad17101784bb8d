//! Services: their addresses become endpoints when an application connects or sends, so that no packet needs NAT.
//!
//! * [`endpoints`] (pure) which endpoints a Service's traffic may go to from this node
//! * [`kernel`] programs, maps, pins
//!
//! These are the capability's lowest floors, and the first: the daemon does not drive it yet.

#![warn(missing_docs, clippy::missing_errors_doc)]
#![forbid(unsafe_code)]

pub mod endpoints;
pub mod kernel;
