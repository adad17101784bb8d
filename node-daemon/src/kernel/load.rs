//! Loads the object, attaches it and pins it, so that all goes on when this process ends; takes over what an earlier
//! daemon left. Running it twice is the same as running it once.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use aya::maps::Map;
use aya::programs::{Iter, Program, ProgramError, ProgramFd, SchedClassifier, SkMsg, SockOps, TracePoint};
use aya::{Btf, Ebpf, EbpfError, EbpfLoader};
use meshaccel_abi::{Offsets, names};
use meshaccel_object::OBJECT;
use thiserror::Error;

use super::casts;
use super::kick::Kick;
use super::maps::MapsError;
use super::neighbours::Neighbours;
use super::passes::Pass;
use super::pins::Layout;
use super::records;
use super::verifier;
use super::visits::Visits;
use super::watch::{HabitWatch, Watch};
use super::way::{Iterators, Over, Way};
use crate::sys::bpf;
use crate::sys::trace::SystemCall;

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
    Program {
        program: &'static str,
        /// The error number in words, and the verdict.
        reason: String,
        /// The verifier's last word. `None`: it did not come to it.
        verdict: Option<String>,
        #[source]
        source: Option<io::Error>,
    },
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
    #[error("cannot size the table of records")]
    Records(#[source] io::Error),
    #[error("cannot find out about other programs")]
    Neighbours(#[source] Box<MapsError>),
    #[error("cannot pin {path}")]
    Pin {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Sizes of the tables, and what is to be done without.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// Connections of one pod that can be accelerated at once when no other has any: two sockets each.
    pub connections: u32,
    pub without: Without,
}

/// What this kernel has, and is not to be used: to compare with kernels that lack it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Without {
    /// Sockets are visited by iterators.
    pub classifier: bool,
    /// These go over namespaces.
    pub storage: bool,
    /// What applications do is seen by tracepoints.
    pub fentry: bool,
    /// Readers are woken by descriptors of theirs.
    pub wake: bool,
}

/// What stays in this process after loading.
pub struct Loaded {
    /// The adopting iterator: it is opened anew in each network namespace, so it is not pinned.
    pub adopt: Pass,
    /// The iterator that wakes readers: likewise.
    pub kick: Kick,
    /// The program that looks at one socket.
    pub visits: Visits,
    /// See what applications do; attached while somebody is redirected to.
    pub habits: HabitWatch,
    /// Other programs of sock_ops.
    pub neighbours: Neighbours,
    /// Has calls that receive wait; attached while a socket is to leave for which that matters.
    pub gate: Gate,
}

/// The object with its programs loaded.
pub struct Programs {
    ebpf: Ebpf,
    /// Sockets are visited by iterators over these.
    iterators: Option<Over>,
    /// How it is seen what applications do.
    watch: Watch,
}

impl Programs {
    /// Creates the maps (or opens those that are pinned in `layout`) and loads every program.
    pub fn load(offsets: &Offsets, capacity: Capacity, layout: Option<&Layout>) -> Result<Self, LoadError> {
        // Twice as many sockets as connections that can be accelerated have: those that wait for evidence need a record, too.
        let records = capacity.connections.saturating_mul(4).max(4);
        let mut loader = EbpfLoader::new();
        loader
            .btf(None)
            .override_global(names::OFFSETS_GLOBAL, offsets, true)
            .map_max_entries(names::SOCKETS, records)
            .map_max_entries(names::ENDS, records)
            .map_max_entries(names::MARKED, records);
        if let Some(layout) = layout {
            for name in names::MAPS {
                loader.map_pin_path(name, layout.path(name));
            }
        }
        let mut ebpf =
            loader.load(&casts::put_in(OBJECT, offsets.casts)).map_err(|source| LoadError::Object(Box::new(source)))?;
        records::tell_capacity(&ebpf).map_err(LoadError::Records)?;
        let btf = Btf::from_sys_fs().map_err(LoadError::Btf)?;
        for (name, target) in ITERATORS {
            load_program(&mut ebpf, name, |program: &mut Iter| program.load(target, &btf))?;
        }
        let by_classifier = match capacity.without.classifier {
            true => Err(LoadError::Missing(names::VISIT)),
            false => load_program(&mut ebpf, names::VISIT, SchedClassifier::load),
        };
        let iterators = match by_classifier {
            Ok(()) => None,
            Err(error) => {
                // From Linux 7.3 on a classifier may not change a SOCKHASH.
                tracing::debug!(%error, "Sockets are visited by iterators");
                load_program(&mut ebpf, names::LEAVE, SchedClassifier::load)?;
                Some(load_iterators(&mut ebpf, &btf, capacity.without.storage)?)
            }
        };
        load_program(&mut ebpf, names::SKMSG, SkMsg::load)?;
        for name in names::GATES {
            load_program(&mut ebpf, name, TracePoint::load)?;
        }
        let watch = Watch::load(&mut ebpf, &btf, capacity.without.fentry)?;
        load_program(&mut ebpf, names::SOCKOPS, SockOps::load)?;
        Ok(Self { ebpf, iterators, watch })
    }

    /// How it is seen what applications do.
    pub(super) const fn watch(&self) -> Watch {
        self.watch
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

    fn gate(&self) -> Result<Gate, LoadError> {
        let [one, other] = names::GATES.map(|name| self.own_program(name));
        // Without tracefs nobody's habits are seen, and no gate is asked for.
        let calls = GATED.iter().filter_map(|call| SystemCall::find(call).ok()).collect();
        Ok(Gate { programs: [one?, other?], calls })
    }

    /// Links an iterator.
    pub fn link_iterator(&self, name: &'static str) -> Result<OwnedFd, LoadError> {
        bpf::link_iterator(self.program(name)?.as_fd()).map_err(|source| LoadError::Attach { program: name, source })
    }

    /// What looks at sockets.
    pub fn visits(&self, layout: &Layout) -> Result<Visits, LoadError> {
        let failed = |source| LoadError::Attach { program: names::VISIT, source };
        let way = match self.iterators {
            None => Way::Classifier(self.own_program(names::VISIT)?),
            Some(over) => {
                let scan = |name| {
                    let link = match over {
                        Over::Storage => link_own_scan(&self.ebpf, name),
                        Over::Namespace => self.link_iterator(name),
                    };
                    link.map(|link| Pass::from_link(name, link))
                };
                let [pass, review] = scans(over).map(scan);
                let program = self.own_program(names::LEAVE)?;
                Way::Iterators(Iterators::open(over, [pass?, review?], program, layout).map_err(failed)?)
            }
        };
        Visits::open(way, layout).map_err(failed)
    }

    fn sockets(&self) -> Result<BorrowedFd<'_>, LoadError> {
        match self.ebpf.map(names::SOCKETS) {
            Some(Map::SockHash(data)) => Ok(data.fd().as_fd()),
            _ => Err(LoadError::Missing(names::SOCKETS)),
        }
    }

    /// A program's descriptor, for whoever outlives this.
    fn own_program(&self, name: &'static str) -> Result<OwnedFd, LoadError> {
        let program = self.program(name)?.as_fd().try_clone_to_owned();
        program.map_err(|source| LoadError::Attach { program: name, source })
    }

    pub(super) fn program(&self, name: &'static str) -> Result<&ProgramFd, LoadError> {
        let program = self.ebpf.program(name).ok_or(LoadError::Missing(name))?;
        program.fd().map_err(|error| refused(name, &error))
    }
}

/// Iterators and what they iterate over.
const ITERATORS: [(&str, &str); 4] =
    [(names::KICK, "tcp"), (names::ADOPT, "tcp"), (names::LIST, "task_file"), (names::RETIRE, "task_file")];
/// The calls that receive, and may wait.
const GATED: [&str; 4] = ["read", "readv", "recvfrom", "recvmsg"];
/// Iterators that are pinned.
const PINNED: [&str; 2] = [names::LIST, names::RETIRE];

/// Those over the socket storage, where the kernel has them and lets them be linked.
fn load_iterators(ebpf: &mut Ebpf, btf: &Btf, without_storage: bool) -> Result<Over, LoadError> {
    if !without_storage {
        match load_own_scans(ebpf, btf) {
            Ok(()) => return Ok(Over::Storage),
            Err(error) => tracing::debug!(%error, "Iterators go over namespaces"),
        }
    }
    for name in names::SCANS {
        load_program(ebpf, name, |program: &mut Iter| program.load("tcp", btf))?;
    }
    Ok(Over::Namespace)
}

/// The iterators that go over these, by purpose.
fn scans(over: Over) -> [&'static str; 2] {
    match over {
        Over::Storage => names::OWN_SCANS,
        Over::Namespace => names::SCANS,
    }
}

fn load_own_scans(ebpf: &mut Ebpf, btf: &Btf) -> Result<(), LoadError> {
    for name in names::OWN_SCANS {
        load_program(ebpf, name, |program: &mut Iter| program.load("bpf_sk_storage_map", btf))?;
        link_own_scan(ebpf, name)?;
    }
    Ok(())
}

/// Links an iterator over the socket storage.
fn link_own_scan(ebpf: &Ebpf, name: &'static str) -> Result<OwnedFd, LoadError> {
    let Some(Map::SkStorage(connections)) = ebpf.map(names::CONNECTIONS) else {
        return Err(LoadError::Missing(names::CONNECTIONS));
    };
    let program = ebpf.program(name).ok_or(LoadError::Missing(name))?.fd().map_err(|error| refused(name, &error))?;
    bpf::link_iterator_over(program.as_fd(), connections.fd().as_fd())
        .map_err(|source| LoadError::Attach { program: name, source })
}

pub(super) fn load_program<'a, P>(
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
        return LoadError::Program { program, reason: error.to_string(), verdict: None, source: None };
    };
    let log = verifier_log.to_string();
    tracing::debug!(program, log, "The verifier's log");
    let verdict = verifier::last_word(&log).map(str::to_owned);
    let reason = verdict.as_ref().map_or_else(|| io_error.to_string(), |verdict| format!("{io_error}: {verdict}"));
    let source = io_error.raw_os_error().map(io::Error::from_raw_os_error);
    LoadError::Program { program, reason, verdict, source }
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
        kick: Kick::new(programs.link_iterator(names::KICK)?, offsets.wakes != 0),
        visits: programs.visits(layout)?,
        gate: programs.gate()?,
        neighbours: Neighbours::open(layout, programs.program(names::SOCKOPS)?.as_fd())
            .map_err(|error| LoadError::Neighbours(Box::new(error)))?,
        habits: HabitWatch::new(programs, layout.clone(), offsets.habits_seen),
    })
}

/// The program that has calls wait which receive from a socket that is to leave. Not pinned: nobody is to leave without a daemon.
pub struct Gate {
    programs: [OwnedFd; 2],
    calls: Vec<SystemCall>,
}

impl Gate {
    /// The same for another thread.
    pub fn try_clone(&self) -> io::Result<Self> {
        let [one, other] = &self.programs;
        Ok(Self { programs: [one.try_clone()?, other.try_clone()?], calls: self.calls.clone() })
    }

    /// It is there for as long as the links are. `turn`: one more than the last time, since that one may not be gone yet.
    pub fn attach(&self, turn: usize) -> io::Result<Vec<OwnedFd>> {
        let program = &self.programs[turn % 2];
        self.calls.iter().map(|call| bpf::link_tracepoint(program.as_fd(), call.open()?.as_fd())).collect()
    }
}

/// Pins, in place of what is pinned there.
pub(super) fn replace_pin(object: &OwnedFd, path: &Path) -> Result<(), LoadError> {
    remove_pin(path)?;
    bpf::pin(object.as_fd(), path).map_err(|source| LoadError::Pin { path: path.to_owned(), source })
}

/// Unpins; nothing there is fine.
pub(super) fn remove_pin(path: &Path) -> Result<(), LoadError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(LoadError::Pin { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
