//! The object with its programs loaded, and how they are attached.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use aya::programs::{CgroupSock, CgroupSockAddr};
use aya::{Ebpf, EbpfLoader};
use meshaccel_abi::services::names;
use meshaccel_bpf::pins::Layout;
use meshaccel_bpf::program::{LoadError, load_program, refused, replace_pin};
use meshaccel_bpf::sys::bpf::{self, CgroupHook};
use meshaccel_object::SERVICES;

/// Sizes of the tables.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// Ports of Services, times kinds of addresses.
    pub services: u32,
    /// Addresses of Services, with their ports.
    pub vips: u32,
    /// Endpoints of all Services together.
    pub backends: u32,
    /// Connections of the node that go through a VIP.
    pub connections: u32,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { services: 65_536, vips: 65_536, backends: 1 << 20, connections: 262_144 }
    }
}

/// Where each program of [`names::PROGRAMS`] is attached.
const HOOKS: [CgroupHook; 9] = [
    CgroupHook::Connect4,
    CgroupHook::Connect6,
    CgroupHook::SendMessage4,
    CgroupHook::SendMessage6,
    CgroupHook::ReceiveMessage4,
    CgroupHook::ReceiveMessage6,
    CgroupHook::PeerName4,
    CgroupHook::PeerName6,
    CgroupHook::SocketRelease,
];

/// The object with its programs loaded. Dropping it takes away what is not pinned.
pub struct Programs {
    ebpf: Ebpf,
    /// A call can be refused with an errno (Linux 5.18).
    pub can_refuse: bool,
}

impl Programs {
    /// Creates the maps (or opens those that are pinned in `layout`) and loads every program.
    ///
    /// # Errors
    /// What the kernel refused, with the verifier's last word.
    pub fn load(capacity: Capacity, layout: &Layout) -> Result<Self, LoadError> {
        // Found out by trying: distributions carry helpers back.
        Self::try_load(capacity, layout, true).or_else(|error| {
            tracing::debug!(%error, "Tries without refusing calls");
            Self::try_load(capacity, layout, false)
        })
    }

    fn try_load(capacity: Capacity, layout: &Layout, can_refuse: bool) -> Result<Self, LoadError> {
        let flag = u32::from(can_refuse);
        let mut loader = EbpfLoader::new();
        loader
            .btf(None)
            .override_global(names::CAN_REFUSE_GLOBAL, &flag, true)
            .map_max_entries(names::SERVICES, capacity.services)
            .map_max_entries(names::VIPS, capacity.vips)
            .map_max_entries(names::BACKENDS, capacity.backends)
            .map_max_entries(names::MEMBERS, capacity.backends)
            .map_max_entries(names::RECORDS, capacity.connections);
        for name in names::MAPS {
            loader.map_pin_path(name, layout.path(name));
        }
        let mut ebpf = loader.load(SERVICES).map_err(|source| LoadError::Object(Box::new(source)))?;
        for (name, hook) in names::PROGRAMS.into_iter().zip(HOOKS) {
            match hook {
                CgroupHook::SocketRelease => load_program(&mut ebpf, name, CgroupSock::load)?,
                _ => load_program(&mut ebpf, name, CgroupSockAddr::load)?,
            }
        }
        Ok(Self { ebpf, can_refuse })
    }

    /// Attaches each program to a cgroup, and pins the links; where a link is pinned already the program behind it is replaced, with no
    /// moment in which none runs. Programs that others have there go on as they are.
    ///
    /// # Errors
    /// Which program could not be attached, and the kernel's errno.
    pub fn attach(&self, layout: &Layout, cgroup: &Path) -> Result<(), LoadError> {
        let folder = File::open(cgroup).map_err(|source| LoadError::Cgroup { path: cgroup.to_owned(), source })?;
        // Answers are translated before anything is sent to be answered.
        for (name, hook) in names::PROGRAMS.into_iter().zip(HOOKS).rev() {
            let program = self.ebpf.program(name).ok_or(LoadError::Missing(name))?;
            let program = program.fd().map_err(|error| refused(name, &error))?.as_fd();
            let path = layout.path(name);
            let failed = |source| LoadError::Attach { program: name, source };
            match bpf::open_pin(&path) {
                Ok(link) => bpf::update_link(link.as_fd(), program).map_err(failed)?,
                Err(_) => {
                    let link = bpf::link_cgroup(program, folder.as_fd(), hook).map_err(failed)?;
                    replace_pin(&link, &path)?;
                }
            }
        }
        Ok(())
    }
}
