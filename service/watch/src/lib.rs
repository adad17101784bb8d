//! An API server, as the daemon and the operator see it: a kind of objects that is [followed](follow()) for ever, and
//! [whether it answers](ApiHealth). What is kept of the objects is for each to say.

#![forbid(unsafe_code)]

mod api_health;
mod follow;

pub use api_health::ApiHealth;
pub use follow::{Follower, Relist, follow};
