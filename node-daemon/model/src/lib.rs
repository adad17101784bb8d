//! What the daemon's parts speak of: pods, objects, what is wrong with them. No I/O.

#![warn(missing_docs, clippy::missing_errors_doc)]
#![forbid(unsafe_code)]

pub mod lines;
pub mod view;

mod capability;
mod condition;
mod keep_alive;
mod objects;
mod pod;
mod problem;

pub use capability::{Capability, Doing, Failure, Turn};
pub use condition::{condition, cut};
pub use keep_alive::KeepAlive;
pub use objects::{Located, NodeIdentity, Objects, Origin, Refused};
pub use pod::{Location, NetnsCookie, PodName};
pub use problem::Problem;
pub use view::View;
