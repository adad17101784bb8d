//! Other kernels: each booted in an emulated machine in which [`crate`] tells its story. No module of the kernel and
//! nothing of the machine here is used but QEMU.
//!
//! * [`catalogue`] which kernels there are; [`machine`] booting one, with a deadline; [`table`] what was seen, for people

pub mod catalogue;
pub mod machine;
pub mod table;
