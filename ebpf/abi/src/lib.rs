//! What the kernel programs and user space share: map layouts, names and reasons. No logic, no I/O.
//!
//! Each capability has its own module with its own layout number, so that a changed map of one leaves the pins of all others alone:
//!
//! * [`redirect`] sockets of one machine exchange bytes without the stack
//! * [`services`] Service addresses become endpoints when an application connects or sends
//! * [`field`] how a field of the running kernel is loaded; [`CAST`] how another object is read: for the programs of all of them
//!
//! Every layout is `#[repr(C)]` without padding (`bytemuck::Pod` refuses padding at compile time).

#![warn(missing_docs, clippy::missing_errors_doc)]
#![cfg_attr(not(test), no_std)]

pub mod field;
pub mod redirect;
pub mod services;

mod numbered;

pub use field::{At, Bits, Number};

/// Stands in an object where bpf_rdonly_cast (Linux 6.2; of any memory since 6.17) is called, as a helper's number that no kernel
/// has.
pub const CAST: i32 = 0x0ca5_7ca5;
