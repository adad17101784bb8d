//! The table of Services, mapped: each word is written whole, so that no program sees half of a change.

use std::io;

use meshaccel_abi::services::{Service, names};
use meshaccel_bpf::pins::Layout;
use meshaccel_bpf::sys::bpf;
use meshaccel_bpf::sys::words::Words;

/// Words of one [`Service`].
const WORDS: usize = size_of::<Service>() / size_of::<u64>();

/// The table.
pub struct Table(Words);

impl Table {
    /// That which is pinned in this layout, of so many Services.
    ///
    /// # Errors
    /// It is not there, or is smaller.
    pub fn open(layout: &Layout, services: u32) -> io::Result<Self> {
        let map = bpf::open_pin(&layout.path(names::SERVICES))?;
        Words::map(&map, services as usize * WORDS).map(Self)
    }

    /// Writes a Service: how it is used first, then what is chosen from. False: there is no such index.
    pub fn write(&self, index: u32, service: Service) -> bool {
        let at = index as usize * WORDS;
        self.0.store(at + 1, service.settings) && self.0.store(at, service.choice)
    }
}
