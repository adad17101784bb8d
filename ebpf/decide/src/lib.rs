//! The decisions of the kernel programs, as pure functions over plain values: no maps, no helpers, no clock.
//!
//! * [`verdict`] redirect this message or pass it, and why
//! * [`pairing`] may these two ends be connected at all
//! * [`side`] is this socket the sidecar's
//! * [`alive`] must this message take TCP so that the path stays alive
//! * [`evidence`] is this connection worth promoting
//!
//! They are inlined into the programs and tested on the host, so a branch here is a branch that a unit test reaches.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod alive;
pub mod evidence;
pub mod pairing;
pub mod side;
pub mod verdict;
