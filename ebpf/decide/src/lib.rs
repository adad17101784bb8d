//! The decisions of the kernel programs, as pure functions over plain values: no maps, no helpers, no clock.
//!
//! * [`verdict`] redirect this message or pass it, and why
//! * [`pairing`] may these two ends be connected at all
//! * [`side`] is this socket the sidecar's
//! * [`habits`] what follows from how its application was seen to read
//! * [`leaving`] how a socket leaves the SOCKHASH
//! * [`demands`] does the sender or the reader ask for what only TCP does
//! * [`alive`] must this message take TCP so that the path stays alive
//! * [`quota`] how many records a pod may have
//! * [`attention`] is this candidate worth a visit now
//! * [`evidence`] is this connection worth promoting; [`gain`] does it gain once it is; [`lesson`] is its port worth recording
//!
//! They are inlined into the programs and tested on the host, so a branch here is a branch that a unit test reaches.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod alive;
pub mod attention;
pub mod demands;
pub mod evidence;
pub mod gain;
pub mod habits;
pub mod leaving;
pub mod lesson;
pub mod pairing;
pub mod quota;
pub mod side;
pub mod verdict;
