//! Service addresses become endpoints when an application connects or sends.
//!
//! * [`address`] addresses and ports, as keys and values of maps
//! * [`service`] Services: their addresses, and the sets of their endpoints
//! * [`scope`] whose sockets are translated
//! * [`flow`] what is kept of a socket that was translated
//! * [`reason`] why a connection or datagram took the path it took
//! * [`names`] programs and maps
//!
//! How a change is never seen by halves: a Service's set of endpoints has a number that is never used again. A new set is written whole,
//! then the Service's one word ([`service::Service::choice`]) names it, and what is not named any more goes when every program that may
//! have seen it has ended.

pub mod address;
pub mod flow;
pub mod names;
pub mod reason;
pub mod scope;
pub mod service;

pub use address::{Backend, Vip};
pub use flow::{Flow, Flows, Record};
pub use reason::Reason;
pub use scope::{Network, Scope};
pub use service::{Affinity, AffinityKey, Member, Service, ServiceIndex, SetSlot};

/// Names the capability: its folder of pins.
pub const NAME: &str = "services";

/// Version of everything in this module that pinned maps hold. It names the folder of the pins, below that of the capability.
pub const LAYOUT: u32 = 1;

#[cfg(feature = "user")]
mod user {
    macro_rules! pod { ($($name:ident),*) => { $(
        // SAFETY: `bytemuck::Pod` is derived for it, which demands all that `aya::Pod` does.
        unsafe impl aya::Pod for crate::services::$name {}
    )* } }
    pod!(Vip, Backend, Service, ServiceIndex, SetSlot, Member, Affinity, AffinityKey, Scope, Flows, Record);
}
