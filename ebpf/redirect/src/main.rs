//! The kernel programs of meshaccel, one object. Each program is five steps, each one call: read the context, look up,
//! decide (`meshaccel-decide`), act, count.
//!
//! * [`sockops`] records sockets of selected pods at ESTABLISHED, and forgets them at close; [`deferred`] later, where most
//!   are short
//! * [`skmsg`] redirects or passes each message of a promoted socket
//! * [`observe`] sees what applications do that the redirected queue does not serve, as does [`enter`] where the kernel has better; [`habits`] keeps it, [`gate`] makes it wait; [`call`] the system call
//!   that is sending
//! * [`visit`] a program that the daemon runs for one socket at a time: [`promote`] has it enter the SOCKHASH when it gains,
//!   [`leaving`] takes it back when it must; [`evict`] how anything is taken out; [`wake_readers`] wakes its reader
//! * [`scan`] does what [`visit`] does where the kernel does not let it
//! * [`list`], [`retire`], [`import`] iterators: listing, uninstall, older connections
//! * [`quota`] how many records a pod may have; [`room`] makes room for redirected bytes
//! * [`context`], [`iterator`], [`maps`], [`socket`], [`record`], [`pair`], [`switch`], [`counters`] what they share
//!
//! On the host this is an empty binary, so that `cargo clippy --workspace` reads it.

#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![cfg_attr(not(target_arch = "bpf"), allow(dead_code, unused, reason = "only the BPF build has entry points"))]

mod alone;
mod benefit;
mod call;
mod context;
mod counters;
mod deferred;
mod enter;
mod evict;
mod gate;
mod habits;
mod import;
mod iterator;
mod leaving;
mod lifecycle;
mod list;
mod maps;
mod observe;
mod pair;
mod port_history;
mod promote;
mod quota;
mod record;
mod retire;
mod room;
mod round_trip;
mod scan;
mod skmsg;
mod socket;
mod sockops;
mod switch;
mod visit;
mod wake;
mod wake_readers;
mod whole;

use meshaccel_programs::barrier;

meshaccel_programs::object!();
