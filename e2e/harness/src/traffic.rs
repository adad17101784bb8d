//! The byte-exact traffic engine: streams whose every byte says where it belongs, pushed through real sockets.
//!
//! * [`pattern`] the bytes: position dependent, different for every connection and direction, and readable backwards
//! * [`fault`] what can be wrong with a stream, as a sentence
//! * [`end`] one end of a connection: what it has sent, what it has checked
//! * [`socket`] sockets of every family, and the options that tests turn
//! * [`open`] connections made inside network namespaces
//! * [`shape`] how an exchange looks: sizes, readers, paces
//! * [`threads`] the exchange with blocking and polling threads
//! * [`events`] the exchange with one epoll loop a side, for thousands of connections
//! * [`request`] request/response, by hand or by threads
//! * [`load`] traffic that goes on until it is told to stop
//!
//! Nothing here knows of acceleration: the same calls run over plain TCP, and a test compares the two.

pub mod end;
pub mod events;
pub mod fault;
pub mod load;
pub mod open;
pub mod pattern;
pub mod request;
pub mod shape;
pub mod socket;
pub mod threads;

#[cfg(test)]
mod tests;

pub use end::{End, Pair};
pub use fault::{Fault, Faults};
pub use load::Load;
pub use open::Service;
pub use pattern::{Direction, Pattern};
pub use shape::{Amount, Pace, Reader, Shape};
pub use socket::Family;

use std::time::Duration;

use crate::slowness;

/// How long a side may make no progress before that is a fault. Generous: the machine may be busy with a build.
pub fn patience() -> Duration {
    slowness::scaled(Duration::from_secs(15))
}
