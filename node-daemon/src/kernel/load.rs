//! Loads the object, attaches it and pins it, so that all goes on when this process ends; takes over what an earlier
//! daemon left. Running it twice is the same as running it once.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use aya::programs::{Iter, Program, ProgramError, ProgramFd, SchedClassifier, SkMsg, SockOps, TracePoint};
use aya::{Btf, Ebpf, EbpfError, EbpfLoader};
use meshaccel_abi::{Offsets, names};
use meshaccel_object::OBJECT;
use thiserror::Error;

use super::casts;
use super::passes::Pass;
use super::pins::Layout;
use super::visits::Visits;
use crate::sys::{bpf, trace};

/// What can go wrong. Each names the program or map, and carries the kernel's errno.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error("cannot create the maps")]
    Object(#[source] Box<EbpfError>),
    #[error("the object has no {0}")]
    Missing(&'static str),
    #[error("cannot read the kernel's type information")]
    Btf(#[source] aya::BtfError),
    #[error("the kernel refused the program {program}: {reason}")]
    Program { program: &'static str, reason: String },
    #[error("cannot open the cgroup {path}")]
    Cgroup {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot attach the program {program}")]
    Attach {
        program: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("cannot pin {path}")]
    Pin {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Sizes of the tables.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// Connections that can be accelerated at once: two sockets each.
    pub connections: u32,
}

/// What stays in this process after loading.
pub struct Loaded {
    /// The adopting iterator: it is opened anew in each network namespace, so it is not pinned.
    pub adopt: Pass,
    /// The iterator that wakes readers: likewise.
    pub kick: Pass,
    /// The program that looks at one socket.
    pub visits: Visits,
    /// Sees who splices; attached while somebody is redirected to.
    pub splice: SpliceWatch,
}

/// The object with its programs loaded.
pub struct Programs {
    ebpf: Ebpf,
}

impl Programs {
    /// Creates the maps (or opens those that are pinned in `layout`) and loads every program.
    pub fn load(offsets: &Offsets, capacity: Capacity, layout: Option<&Layout>) -> Result<Self, LoadError> {
        let sockets = capacity.connections.saturating_mul(2).max(2);
        let mut loader = EbpfLoader::new();
        loader
            .btf(None)
            .override_global(names::OFFSETS_GLOBAL, offsets, true)
            .map_max_entries(names::SOCKETS, sockets)
            // Twice as many are recorded as can be promoted: those that wait for evidence need a record too.
            .map_max_entries(names::ENDS, sockets.saturating_mul(2))
            .map_max_entries(names::MARKED, sockets.saturating_mul(2));
        if let Some(layout) = layout {
            for name in names::MAPS {
                loader.map_pin_path(name, layout.path(name));
            }
        }
        let mut ebpf =
            loader.load(&casts::put_in(OBJECT, offsets.casts)).map_err(|source| LoadError::Object(Box::new(source)))?;
        let btf = Btf::from_sys_fs().map_err(LoadError::Btf)?;
        for (name, target) in ITERATORS {
            load_program(&mut ebpf, name, |program: &mut Iter| program.load(target, &btf))?;
        }
        load_program(&mut ebpf, names::VISIT, SchedClassifier::load)?;
        load_program(&mut ebpf, names::SKMSG, SkMsg::load)?;
        load_program(&mut ebpf, names::SPLICE, TracePoint::load)?;
        load_program(&mut ebpf, names::SOCKOPS, SockOps::load)?;
        Ok(Self { ebpf })
    }

    /// Attaches sk_msg to the SOCKHASH.
    pub fn attach_sk_msg(&self) -> Result<(), LoadError> {
        let program = self.program(names::SKMSG)?;
        let map = self.sockets()?;
        bpf::attach_sk_msg(program.as_fd(), map).map_err(|source| LoadError::Attach { program: names::SKMSG, source })
    }

    /// Attaches sock_ops to a cgroup.
    pub fn link_sock_ops(&self, cgroup: &Path) -> Result<OwnedFd, LoadError> {
        let file = File::open(cgroup).map_err(|source| LoadError::Cgroup { path: cgroup.to_owned(), source })?;
        let program = self.program(names::SOCKOPS)?;
        bpf::link_sock_ops(program.as_fd(), file.as_fd())
            .map_err(|source| LoadError::Attach { program: names::SOCKOPS, source })
    }

    /// Links the program that sees splice(2).
    pub fn link_splice(&self) -> Result<OwnedFd, LoadError> {
        let program = self.program(names::SPLICE)?;
        trace::system_call("splice")
            .and_then(|event| bpf::link_tracepoint(program.as_fd(), event.as_fd()))
            .map_err(|source| LoadError::Attach { program: names::SPLICE, source })
    }

    /// Links an iterator.
    pub fn link_iterator(&self, name: &'static str) -> Result<OwnedFd, LoadError> {
        bpf::link_iterator(self.program(name)?.as_fd()).map_err(|source| LoadError::Attach { program: name, source })
    }

    /// What looks at sockets one by one.
    pub fn visits(&self, layout: &Layout) -> Result<Visits, LoadError> {
        let program = self.program(names::VISIT)?.as_fd().try_clone_to_owned();
        program
            .and_then(|program| Visits::open(program, layout))
            .map_err(|source| LoadError::Attach { program: names::VISIT, source })
    }

    fn sockets(&self) -> Result<BorrowedFd<'_>, LoadError> {
        match self.ebpf.map(names::SOCKETS) {
            Some(aya::maps::Map::SockHash(data)) => Ok(data.fd().as_fd()),
            _ => Err(LoadError::Missing(names::SOCKETS)),
        }
    }

    fn program(&self, name: &'static str) -> Result<&ProgramFd, LoadError> {
        let program = self.ebpf.program(name).ok_or(LoadError::Missing(name))?;
        program.fd().map_err(|error| refused(name, &error))
    }
}

/// Iterators and what they iterate over.
const ITERATORS: [(&str, &str); 4] =
    [(names::KICK, "tcp"), (names::ADOPT, "tcp"), (names::LIST, "task_file"), (names::RETIRE, "task_file")];
/// Iterators that are pinned.
const PINNED: [&str; 2] = [names::LIST, names::RETIRE];

fn load_program<'a, P>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
    load: impl FnOnce(&mut P) -> Result<(), ProgramError>,
) -> Result<(), LoadError>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
    P: 'a,
{
    let refused = |error| refused(name, &error);
    let program = ebpf.program_mut(name).ok_or(LoadError::Missing(name))?.try_into().map_err(refused)?;
    load(program).map_err(refused)
}

/// One sentence: the error number, and the verifier's last word. What led to it, which may be thousands of lines, goes to
/// the debug log.
fn refused(program: &'static str, error: &ProgramError) -> LoadError {
    let ProgramError::LoadError { io_error, verifier_log } = error else {
        return LoadError::Program { program, reason: error.to_string() };
    };
    let log = verifier_log.to_string();
    tracing::debug!(program, log, "The verifier's log");
    // After its last word comes "processed 123 insns (limit 1000000) ...".
    let last = log.lines().rev().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("processed "));
    let reason = last.map_or_else(|| io_error.to_string(), |last| format!("{io_error}: {last}"));
    LoadError::Program { program, reason }
}

/// Loads, attaches and pins everything. What is pinned already is taken over: maps are opened, the sock_ops link gets
/// the new program, the sk_msg program is replaced for sockets to come (those that are linked keep theirs).
pub fn install(offsets: &Offsets, capacity: Capacity, layout: &Layout, cgroup: &Path) -> Result<Loaded, LoadError> {
    let programs = Programs::load(offsets, capacity, Some(layout))?;
    programs.attach_sk_msg()?;
    for name in PINNED {
        let path = layout.path(name);
        let link = programs.link_iterator(name)?;
        replace_pin(&link, &path)?;
    }
    let path = layout.sock_ops_link();
    match bpf::open_pin(&path) {
        Ok(link) => bpf::update_link(link.as_fd(), programs.program(names::SOCKOPS)?.as_fd())
            .map_err(|source| LoadError::Attach { program: names::SOCKOPS, source })?,
        Err(_) => {
            let link = programs.link_sock_ops(cgroup)?;
            replace_pin(&link, &path)?;
        }
    }
    Ok(Loaded {
        adopt: Pass::from_link(names::ADOPT, programs.link_iterator(names::ADOPT)?),
        kick: Pass::from_link(names::KICK, programs.link_iterator(names::KICK)?),
        visits: programs.visits(layout)?,
        splice: SpliceWatch::new(programs, layout),
    })
}

/// The link of the program that sees splice(2). A tracepoint of system calls makes every call of the node some 12 ns slower,
/// so it is there only while it is needed; pinned, so that it outlives this process as redirection does.
pub struct SpliceWatch {
    programs: Programs,
    pin: PathBuf,
}

impl SpliceWatch {
    fn new(programs: Programs, layout: &Layout) -> Self {
        Self { programs, pin: layout.path(names::SPLICE) }
    }

    /// Attaches (anew: a link of an earlier daemon runs that daemon's program).
    pub fn attach(&self) -> Result<(), LoadError> {
        replace_pin(&self.programs.link_splice()?, &self.pin)
    }

    /// Detaches; nothing to detach is fine.
    pub fn detach(&self) -> Result<(), LoadError> {
        match std::fs::remove_file(&self.pin) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(LoadError::Pin { path: self.pin.clone(), source })
            }
            _ => Ok(()),
        }
    }
}

/// Pins, in place of what is pinned there.
fn replace_pin(object: &OwnedFd, path: &Path) -> Result<(), LoadError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(LoadError::Pin { path: path.to_owned(), source });
        }
        _ => {}
    }
    bpf::pin(object.as_fd(), path).map_err(|source| LoadError::Pin { path: path.to_owned(), source })
}
