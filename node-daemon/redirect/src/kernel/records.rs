//! The records of sockets, and how many there may be (`meshaccel_abi::redirect::records`).

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use aya::Ebpf;
use aya::maps::Map;
use meshaccel_abi::redirect::{EndId, EndRecord, names, records};
use meshaccel_bpf::pins::Layout;
use meshaccel_bpf::sys::bpf;

/// Tells the programs how many records there may be. (What is pinned keeps the size that it was made with.)
pub fn tell_capacity(ebpf: &Ebpf) -> io::Result<()> {
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let (Some(Map::HashMap(ends)), Some(Map::Array(records))) = (ebpf.map(names::ENDS), ebpf.map(names::RECORDS))
    else {
        return Err(missing());
    };
    let capacity = u64::from(ends.info().map_err(io::Error::other)?.max_entries());
    bpf::update(records.fd().as_fd(), &records::CAPACITY, &capacity)
}

/// Their table.
#[derive(Debug)]
pub struct Records {
    ends: OwnedFd,
}

impl Records {
    /// Opens what is pinned.
    pub fn open(layout: &Layout) -> io::Result<Self> {
        Ok(Self { ends: bpf::open_pin(&layout.path(names::ENDS))? })
    }

    /// The same for another thread.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { ends: self.ends.try_clone()? })
    }

    /// All of them.
    pub fn all(&self) -> io::Result<Vec<(EndId, EndRecord)>> {
        bpf::read_hash(self.ends.as_fd())
    }

    /// Writes one.
    pub fn put(&self, id: &EndId, record: &EndRecord) -> io::Result<()> {
        bpf::update(self.ends.as_fd(), id, record)
    }

    /// Reads one.
    pub fn get(&self, id: &EndId) -> io::Result<EndRecord> {
        bpf::lookup(self.ends.as_fd(), id)
    }
}
