//! Everything that touches the kernel's side of meshaccel.
//!
//! * [`btf`], [`offsets`] where this kernel keeps its fields
//! * [`pins`] the folder in bpffs: what is pinned where, and its layout version
//! * [`casts`] how programs read other sockets
//! * [`load`] loads the object, attaches it, pins it; takes over what an earlier daemon left
//! * [`verifier`] why the kernel refused a program
//! * [`maps`] typed access to the pinned maps
//! * [`visits`] has the programs look at sockets; [`passes`] runs the iterators; [`wake`] says when
//! * [`neighbours`] other programs of our kind on this machine
//! * [`watch`] sees what applications do

pub mod btf;
pub mod casts;
pub mod kick;
pub mod load;
pub mod maps;
pub mod neighbours;
pub mod offsets;
pub mod passes;
pub mod pins;
pub mod records;
pub mod verifier;
pub mod visits;
pub mod wake;
pub mod watch;
pub mod way;
