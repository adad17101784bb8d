//! The decisions of the kernel programs, as pure functions over plain values: no maps, no helpers, no clock. A module for each
//! capability, as in `meshaccel_abi`.
//!
//! * [`redirect`] which messages are redirected, which sockets enter the SOCKHASH and how they leave it
//! * [`services`] whose connections are translated, and to where
//!
//! They are inlined into the programs and tested on the host, so a branch here is a branch that a unit test reaches.

#![warn(missing_docs, clippy::missing_errors_doc)]
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod redirect;
pub mod services;
