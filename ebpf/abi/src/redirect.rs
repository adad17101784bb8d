//! Sockets of one machine exchange bytes without the stack.
//!
//! * [`key`] who a socket is: addresses, the SOCKHASH key, the identity of a connection
//! * [`connection`] what is kept per socket, and the records of both ends
//! * [`port_history`] what is learnt of the connections of a port; [`habit`] how its application reads
//! * [`policy`] what the daemon tells the programs about a pod, and the switches
//! * [`offsets`] where the running kernel keeps its fields
//! * [`reason`] why a message took the path it took; [`event`] what happened to a connection
//! * [`records`] how many records each pod has
//! * [`visit`] how user space has a socket looked at
//! * [`names`] programs and maps

pub mod connection;
pub mod event;
pub mod habit;
pub mod key;
pub mod names;
pub mod offsets;
pub mod policy;
pub mod port_history;
pub mod reason;
pub mod records;
pub mod visit;

pub use connection::{Connection, ConnectionRow, Counter, EndRecord, ImportSample};
pub use event::Event;
pub use habit::PodHabits;
pub use key::{EndId, Endpoint, Role, SocketKey};
pub use offsets::{Calls, Offsets};
pub use policy::{PodEntry, Policy};
pub use port_history::{PortHistory, PortKey};
pub use reason::Reason;
pub use visit::SocketMark;

/// Names the capability: its folder of pins.
pub const NAME: &str = "redirect";

/// Version of everything in this module that pinned maps hold. It names the folder of the pins, below that of the capability.
/// Whoever changes a layout raises it: pinned maps of another layout are retired, never reinterpreted.
pub const LAYOUT: u32 = 8;

#[cfg(feature = "user")]
mod user {
    macro_rules! pod { ($($name:ty),*) => { $(
        // SAFETY: `bytemuck::Pod` is derived for it, which demands all that `aya::Pod` does.
        unsafe impl aya::Pod for $name {}
    )* } }
    pod!(
        crate::redirect::Connection,
        crate::redirect::EndRecord,
        crate::redirect::Counter,
        crate::redirect::EndId,
        crate::redirect::SocketKey,
        crate::redirect::Policy,
        crate::redirect::PodEntry,
        crate::redirect::Offsets
    );
}
