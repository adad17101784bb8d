//! The object with its programs loaded, and how each is attached.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use aya::maps::Map;
use aya::programs::{Iter, ProgramFd, SchedClassifier, SkMsg, SockOps, TracePoint};
use aya::{Btf, Ebpf, EbpfLoader};
use meshaccel_abi::redirect::{Offsets, names};
use meshaccel_bpf::iterator::LinkedIterator;
use meshaccel_bpf::pins::Layout;
use meshaccel_bpf::program::{LoadError, load_program, refused};
use meshaccel_bpf::rdonly_cast;
use meshaccel_bpf::sys::bpf::{self, CgroupHook};
use meshaccel_object::REDIRECT;

use super::gate::Gate;
use super::iterators::{link_own_scan, load_iterators, scans};
use super::records;
use super::visits::Visits;
use super::watch::Watch;
use super::way::{Iterators, Over, Way};

pub use meshaccel_object::BUILT_WITH;

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
            .map_max_entries(names::DIRTY, records);
        if let Some(layout) = layout {
            for name in names::MAPS {
                loader.map_pin_path(name, layout.path(name));
            }
        }
        let mut ebpf = loader
            .load(&rdonly_cast::put_in(REDIRECT, offsets.casts))
            .map_err(|source| LoadError::Object(Box::new(source)))?;
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
        bpf::link_cgroup(program.as_fd(), file.as_fd(), CgroupHook::SocketOps)
            .map_err(|source| LoadError::Attach { program: names::SOCKOPS, source })
    }

    /// What has receive calls wait.
    pub(super) fn gate(&self) -> Result<Gate, LoadError> {
        let [one, other] = names::GATES.map(|name| self.own_program(name));
        Ok(Gate::new([one?, other?]))
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
                let linked = |name| {
                    let link = match over {
                        Over::Storage => link_own_scan(&self.ebpf, name),
                        Over::Namespace => self.link_iterator(name),
                    };
                    link.map(|link| LinkedIterator::from_link(name, link))
                };
                let [scan, resync] = scans(over).map(linked);
                let program = self.own_program(names::LEAVE)?;
                Way::Iterators(Iterators::open(over, [scan?, resync?], program, layout).map_err(failed)?)
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
    [(names::WAKE_READERS, "tcp"), (names::IMPORT, "tcp"), (names::LIST, "task_file"), (names::RETIRE, "task_file")];
/// Iterators that are pinned.
pub(super) const PINNED: [&str; 2] = [names::LIST, names::RETIRE];
