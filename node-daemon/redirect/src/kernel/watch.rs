//! The links of the programs that see what applications do: who splices, who asks how many bytes wait, who makes a descriptor
//! blocking. They are pinned, so that they outlive this process as redirection does.
//!
//! By [`Watch::Entries`] of kernel functions where the kernel allows it: nobody pays but who does such a thing. Elsewhere (lockdown;
//! arm64 before Linux 6.4) by [`Watch::Tracepoints`], which make every system call of the node some 12 ns slower: so they are there
//! only while they are needed.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use aya::Ebpf;
use aya::programs::{FEntry, TracePoint};
use meshaccel_abi::redirect::{habit, names};
use meshaccel_bpf::pins::Layout;
use meshaccel_bpf::program::{LoadError, load_program, remove_pin, replace_pin};
use meshaccel_bpf::sys::bpf;
use meshaccel_bpf::sys::trace::SystemCall;
use meshaccel_service::Chain;

use super::programs::Programs;

/// How it is seen what applications do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// fentry; bits by the place in [`names::ENTRIES`]: not all kernels have all of these functions.
    Entries { attached: u32 },
    /// Tracepoints of system calls.
    Tracepoints,
}

/// Programs, the system calls at whose beginning they run, and what they see.
const TRACEPOINTS: [(&str, &str, u32); 3] = [
    (names::SPLICE, "splice", habit::SPLICES),
    (names::IOCTL, "ioctl", habit::ASKS | habit::TOGGLES),
    (names::FCNTL, "fcntl", habit::TOGGLES),
];

impl Watch {
    /// Loads the programs of the better way that works: what can be loaded may still be refused when it is attached, so that is
    /// tried, too.
    pub(super) fn load(ebpf: &mut Ebpf, btf: &aya::Btf, without_fentry: bool) -> Result<Self, LoadError> {
        if !without_fentry {
            match load_entries(ebpf, btf) {
                Ok(attached) => return Ok(Self::Entries { attached }),
                Err(error) => tracing::debug!(error = %Chain(&error), "Tracepoints see what applications do"),
            }
        }
        for (name, ..) in TRACEPOINTS {
            load_program(ebpf, name, TracePoint::load)?;
        }
        Ok(Self::Tracepoints)
    }

    /// In the field's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entries { .. } => "fentry",
            Self::Tracepoints => "tracepoints",
        }
    }

    fn has(self, name: &str) -> bool {
        match self {
            Self::Entries { attached } => {
                names::ENTRIES.iter().enumerate().any(|(place, (one, _))| *one == name && attached & 1 << place != 0)
            }
            Self::Tracepoints => TRACEPOINTS.iter().any(|(one, ..)| *one == name),
        }
    }
}

/// Gives which ones can be attached, the needed ones among them.
fn load_entries(ebpf: &mut Ebpf, btf: &aya::Btf) -> Result<u32, LoadError> {
    let mut attached = 0;
    for (place, (name, function)) in names::ENTRIES.into_iter().enumerate() {
        match load_entry(ebpf, btf, name, function) {
            Ok(()) => attached |= 1 << place,
            Err(error) if place < names::NEEDED_ENTRIES => return Err(error),
            Err(error) => tracing::debug!(error = %Chain(&error), function, "Not seen on this kernel"),
        }
    }
    Ok(attached)
}

fn load_entry(ebpf: &mut Ebpf, btf: &aya::Btf, name: &'static str, function: &str) -> Result<(), LoadError> {
    load_program(ebpf, name, |program: &mut FEntry| program.load(function, btf))?;
    let program = ebpf.program(name).ok_or(LoadError::Missing(name))?;
    let descriptor = program.fd().map_err(|_| LoadError::Missing(name))?;
    bpf::link_entry(descriptor.as_fd()).map(drop).map_err(|source| LoadError::Attach { program: name, source })
}

/// What sees what applications do, and where it is pinned.
pub struct HabitWatch {
    programs: Programs,
    layout: Layout,
    /// What can be seen on this machine: the programs go by that, too.
    seen: u32,
}

impl HabitWatch {
    pub(super) const fn new(programs: Programs, layout: Layout, seen: u32) -> Self {
        Self { programs, layout, seen }
    }

    /// By which way.
    pub const fn way(&self) -> Watch {
        self.programs.watch()
    }

    /// Attaches (anew: a link of an earlier daemon runs that daemon's program), and ends what an earlier daemon attached in the
    /// other way.
    pub fn attach(&self) -> Result<(), LoadError> {
        for name in names_of_both() {
            let path = self.layout.path(name);
            match self.link(name)? {
                Some(link) => replace_pin(&link, &path)?,
                None => remove_pin(&path)?,
            }
        }
        Ok(())
    }

    /// Detaches; nothing to detach is fine.
    pub fn detach(&self) -> Result<(), LoadError> {
        names_of_both().try_for_each(|name| remove_pin(&self.layout.path(name)))
    }

    fn link(&self, name: &'static str) -> Result<Option<OwnedFd>, LoadError> {
        if !self.way().has(name) || self.seen == 0 {
            return Ok(None);
        }
        let program = self.programs.program(name)?.as_fd();
        let linked = match TRACEPOINTS.iter().find(|(one, ..)| *one == name) {
            // What cannot be seen is not there to be attached to (no tracefs).
            Some((.., habits)) if self.seen & habits == 0 => return Ok(None),
            Some((_, call, _)) => attach_to_call(program, call),
            None => bpf::link_entry(program),
        };
        linked.map(Some).map_err(|source| LoadError::Attach { program: name, source })
    }
}

fn names_of_both() -> impl Iterator<Item = &'static str> {
    names::ENTRIES.into_iter().map(|(name, _)| name).chain(TRACEPOINTS.into_iter().map(|(name, ..)| name))
}

fn attach_to_call(program: std::os::fd::BorrowedFd<'_>, call: &str) -> io::Result<OwnedFd> {
    let event = SystemCall::find(call)?.open()?;
    bpf::link_tracepoint(program, event.as_fd())
}
