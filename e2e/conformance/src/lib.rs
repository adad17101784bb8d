//! "Indistinguishable from TCP": what socket(7), tcp(7), recv(2) and the like promise, played on a plain connection and on
//! one whose two sockets were redirected first, and compared line by line.
//!
//! * [`session`] one connection and the trace of what was seen; [`calls`], [`events`] and [`threads`] what can be done on it
//! * [`topics`] the behaviours, a file a topic
//! * [`fixture`] where both kinds of connection come from, [`compare`] plays a behaviour on both, [`difference`] shows the
//!   traces, [`known`] says what differs and why
//! * [`differential`] the same with random programs
//! * [`sys`] the system calls, [`ring`] io_uring, [`options`] and [`names`] their words

pub mod calls;
pub mod compare;
pub mod difference;
pub mod differential;
pub mod events;
pub mod fixture;
pub mod known;
pub mod names;
pub mod options;
pub mod ring;
pub mod session;
pub mod sys;
pub mod threads;
pub mod topics;

use anyhow::Result;

pub use session::{Session, Who};

/// Something that a program can do with a connection, and see.
#[derive(Clone, Copy, Debug)]
pub struct Behaviour {
    pub name: &'static str,
    /// The page that describes it.
    pub page: &'static str,
    pub run: fn(&mut Session) -> Result<()>,
}

/// Declares the functions of a topic as its `BEHAVIOURS`.
#[macro_export]
macro_rules! behaviours {
    ($($page:literal: $($name:ident),+ $(,)?);+ $(;)?) => {
        pub const BEHAVIOURS: &[$crate::Behaviour] = &[$($($crate::Behaviour {
            name: stringify!($name),
            page: $page,
            run: $name,
        }),+),+];
    };
}
