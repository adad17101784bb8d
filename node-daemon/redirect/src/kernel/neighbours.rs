//! Other programs of sock_ops on this machine. A socket has one flag for all of them that says that round trips are to be reported:
//! who asked for it cannot be told from the socket. So while there are others the programs leave it up.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use aya::maps::{Array, Map, MapData};
use meshaccel_abi::redirect::names;
use meshaccel_bpf::maps::{MapsError, open};
use meshaccel_bpf::pins::Layout;
use meshaccel_bpf::sys::bpf;

/// `BPF_PROG_TYPE_SOCK_OPS`
const SOCK_OPS: u32 = 13;

/// What is known of them.
pub struct Neighbours {
    told: Array<MapData, u32>,
    own: u32,
    /// The highest id that was looked at: the kernel gives ever higher ones.
    seen: u32,
    others: Vec<u32>,
}

impl Neighbours {
    /// `own`: our program of sock_ops.
    pub fn open(layout: &Layout, own: BorrowedFd<'_>) -> Result<Self, MapsError> {
        let failed = |source| MapsError::Wait { name: names::NEIGHBOURS, source };
        let told: Array<MapData, u32> = open!(layout, names::NEIGHBOURS, Map::Array);
        let own = bpf::program_info(own).map_err(failed)?.id;
        let mut neighbours = Self { told, own, seen: 0, others: Vec::new() };
        neighbours.look()?;
        Ok(neighbours)
    }

    /// Looks at what has been loaded and unloaded since the last time, and tells the programs.
    pub fn look(&mut self) -> Result<(), MapsError> {
        // What cannot be seen may be there.
        let are_there =
            self.find().inspect_err(|error| tracing::debug!(%error, "Cannot list programs")).unwrap_or(true);
        self.told.set(0, u32::from(are_there), 0).map_err(|source| MapsError::Write { name: names::NEIGHBOURS, source })
    }

    fn find(&mut self) -> io::Result<bool> {
        self.others.retain(|id| bpf::program_by_id(*id).is_ok());
        while let Some(id) = bpf::next_program(self.seen)? {
            self.seen = id;
            // One that is gone by now is nobody's neighbour.
            let Ok(program) = bpf::program_by_id(id) else { continue };
            if id != self.own && bpf::program_info(program.as_fd())?.kind == SOCK_OPS {
                self.others.push(id);
            }
        }
        Ok(!self.others.is_empty())
    }
}
