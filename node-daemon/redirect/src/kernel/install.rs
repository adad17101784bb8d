//! Loads the object, attaches it and pins it, so that all goes on when this process ends; takes over what an earlier
//! daemon left. Running it twice is the same as running it once.

use std::os::fd::AsFd;
use std::path::Path;

use meshaccel_abi::redirect::{Offsets, names};
use meshaccel_bpf::iterator::LinkedIterator;
use meshaccel_bpf::pins::Layout;
use meshaccel_bpf::program::{LoadError, replace_pin};
use meshaccel_bpf::sys::bpf;

use super::gate::Gate;
use super::neighbours::Neighbours;
use super::pinned::sock_ops_link;
use super::programs::{Capacity, PINNED, Programs};
use super::visits::Visits;
use super::wake_readers::ReaderWaker;
use super::watch::HabitWatch;

/// What stays in this process after loading.
pub struct Loaded {
    /// The importing iterator: it is opened anew in each network namespace, so it is not pinned.
    pub import: LinkedIterator,
    /// The iterator that wakes readers: likewise.
    pub wake_readers: ReaderWaker,
    /// The program that looks at one socket.
    pub visits: Visits,
    /// See what applications do; attached while somebody is redirected to.
    pub habits: HabitWatch,
    /// Other programs of sock_ops.
    pub neighbours: Neighbours,
    /// Has calls that receive wait; attached while a socket is to leave for which that matters.
    pub gate: Gate,
}

/// Loads, attaches and pins everything. What is pinned already is taken over: maps are opened, the sock_ops link gets
/// the new program, the sk_msg program is replaced for sockets to come (those that are linked keep theirs).
#[tracing::instrument(skip_all, fields(layout = layout.version))]
pub fn install(offsets: &Offsets, capacity: Capacity, layout: &Layout, cgroup: &Path) -> Result<Loaded, LoadError> {
    let programs = Programs::load(offsets, capacity, Some(layout))?;
    programs.attach_sk_msg()?;
    for name in PINNED {
        let path = layout.path(name);
        let link = programs.link_iterator(name)?;
        replace_pin(&link, &path)?;
    }
    let path = sock_ops_link(layout);
    match bpf::open_pin(&path) {
        Ok(link) => bpf::update_link(link.as_fd(), programs.program(names::SOCKOPS)?.as_fd())
            .map_err(|source| LoadError::Attach { program: names::SOCKOPS, source })?,
        Err(_) => {
            let link = programs.link_sock_ops(cgroup)?;
            replace_pin(&link, &path)?;
        }
    }
    Ok(Loaded {
        import: LinkedIterator::from_link(names::IMPORT, programs.link_iterator(names::IMPORT)?),
        wake_readers: ReaderWaker::new(programs.link_iterator(names::WAKE_READERS)?, offsets.wakes != 0),
        visits: programs.visits(layout)?,
        gate: programs.gate()?,
        neighbours: Neighbours::open(layout, programs.program(names::SOCKOPS)?.as_fd())
            .map_err(|error| LoadError::Neighbours(Box::new(error)))?,
        habits: HabitWatch::new(programs, layout.clone(), offsets.habits_seen),
    })
}
