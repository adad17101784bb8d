//! This capability's side of the kernel.
//!
//! * [`offsets`] where this kernel keeps its fields
//! * [`install`] brings everything into the kernel, and takes over what an earlier daemon left: [`programs`] the object, [`iterators`]
//!   which of them are used here, [`pinned`] what stays
//! * [`maps`] typed access to the pinned maps; [`records`] the table of sockets
//! * [`visits`] has the programs look at sockets, by the [`way`] that this kernel allows; [`rows`] what the iterators tell; [`wake`]
//!   says when
//! * [`watch`] sees what applications do; [`gate`] has them wait; [`wake_readers`] wakes them
//! * [`neighbours`] other programs of our kind on this machine

pub mod gate;
pub mod install;
pub mod iterators;
pub mod maps;
pub mod neighbours;
pub mod offsets;
pub mod pinned;
pub mod programs;
pub mod records;
pub mod rows;
pub mod visits;
pub mod wake;
pub mod wake_readers;
pub mod watch;
pub mod way;
