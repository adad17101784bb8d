//! What a capability needs to bring programs into the kernel and to speak to them; knows none of them. The only `unsafe` code of the
//! daemon.
//!
//! * [`pins`] the folder in bpffs: a column for each capability, in it a folder for each layout
//! * [`program`] loads programs; [`verifier`] why the kernel refused one
//! * [`btf`] the kernel's type information; [`fields`] finds in it what programs load; [`rdonly_cast`] how programs read other objects
//! * [`maps`] opens pinned maps; [`ring`] waits for programs; [`iterator`] runs iterators
//! * [`sys`] the system calls that no library wraps

pub mod btf;
pub mod fields;
pub mod iterator;
pub mod maps;
pub mod pins;
pub mod program;
pub mod rdonly_cast;
pub mod ring;
pub mod sys;
pub mod verifier;

/// For [`open!`].
pub use aya;
