//! The programs' way to wake this process: a ring buffer, of which only the wake-up matters.

use std::io;

use aya::maps::{Array, Map, MapData};
use meshaccel_abi::redirect::names;
use meshaccel_bpf::maps::{MapsError, open};
use meshaccel_bpf::pins::Layout;
use meshaccel_bpf::ring::WakeUp;

/// The pinned ring, and the flag that says that it has been written to.
pub struct Wake {
    ring: WakeUp,
    awake: Array<MapData, u32>,
}

impl Wake {
    /// Opens what is pinned. Needs a tokio runtime.
    pub fn open(layout: &Layout) -> Result<Self, MapsError> {
        let ring = WakeUp::open(layout, names::WAKE)?;
        Ok(Self { ring, awake: open!(layout, names::AWAKE, Map::Array) })
    }

    /// The programs shall wake again. To be called before a scan, so that nothing that becomes dirty during it is missed.
    pub fn listen(&mut self) -> Result<(), MapsError> {
        self.awake.set(0, 0, 0).map_err(|source| MapsError::Write { name: names::AWAKE, source })
    }

    /// Waits until they do.
    pub async fn woken(&mut self) -> io::Result<()> {
        self.ring.woken().await
    }
}
