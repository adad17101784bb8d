//! What the kernel programs and user space share: map layouts, names and reasons. No logic, no I/O.
//!
//! * [`key`] who a socket is: addresses, the SOCKHASH key, the identity of a connection
//! * [`connection`] what is kept per socket, and the records of both ends
//! * [`lesson`] what is learnt of the connections of a port; [`habit`] how its application reads
//! * [`policy`] what the daemon tells the programs about a pod, and the switches
//! * [`offsets`] where the running kernel keeps its fields; [`field`] how each is loaded
//! * [`reason`] why a message took the path it took; [`event`] what happened to a connection
//! * [`records`] how many records each pod has
//! * [`visit`] how user space has a socket looked at
//! * [`names`] programs and maps
//!
//! Every layout is `#[repr(C)]` without padding (`bytemuck::Pod` refuses padding at compile time). Changing one
//! means raising [`LAYOUT`]: pinned maps of another layout are retired, never reinterpreted.

#![cfg_attr(not(test), no_std)]

pub mod connection;
pub mod event;
pub mod field;
pub mod habit;
pub mod key;
pub mod lesson;
pub mod names;
pub mod offsets;
pub mod policy;
pub mod reason;
pub mod records;
pub mod visit;

pub use connection::{AdoptSample, Connection, ConnectionRow, Counter, EndRecord};
pub use event::Event;
pub use field::{At, Bits, Number};
pub use habit::PodHabits;
pub use key::{EndId, Endpoint, Role, SocketKey};
pub use lesson::{Lesson, LessonKey};
pub use offsets::{Calls, Offsets};
pub use policy::{PodEntry, Policy};
pub use reason::Reason;
pub use visit::Mark;

/// Version of everything in this crate that pinned maps hold. It names the folder of the pins.
pub const LAYOUT: u32 = 7;

#[cfg(feature = "user")]
mod user {
    macro_rules! pod { ($($name:ty),*) => { $(
        // SAFETY: `bytemuck::Pod` is derived for it, which demands all that `aya::Pod` does.
        unsafe impl aya::Pod for $name {}
    )* } }
    pod!(
        crate::Connection,
        crate::EndRecord,
        crate::Counter,
        crate::EndId,
        crate::SocketKey,
        crate::Policy,
        crate::PodEntry,
        crate::Offsets
    );
}
