//! Which iterators visit sockets where a classifier may not.

use std::os::fd::{AsFd, OwnedFd};

use aya::maps::Map;
use aya::programs::Iter;
use aya::{Btf, Ebpf};
use meshaccel_abi::redirect::names;
use meshaccel_bpf::program::{LoadError, load_program, refused};
use meshaccel_bpf::sys::bpf;

use super::way::Over;

/// Those over the socket storage, where the kernel has them and lets them be linked.
pub(super) fn load_iterators(ebpf: &mut Ebpf, btf: &Btf, without_storage: bool) -> Result<Over, LoadError> {
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
pub(super) fn scans(over: Over) -> [&'static str; 2] {
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
pub(super) fn link_own_scan(ebpf: &Ebpf, name: &'static str) -> Result<OwnedFd, LoadError> {
    let Some(Map::SkStorage(connections)) = ebpf.map(names::CONNECTIONS) else {
        return Err(LoadError::Missing(names::CONNECTIONS));
    };
    let program = ebpf.program(name).ok_or(LoadError::Missing(name))?.fd().map_err(|error| refused(name, &error))?;
    bpf::link_iterator_over(program.as_fd(), connections.fd().as_fd())
        .map_err(|source| LoadError::Attach { program: name, source })
}
