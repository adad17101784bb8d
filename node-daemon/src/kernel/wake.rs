//! The programs' way to wake this process: a ring buffer, of which only the wake-up matters.

use std::io;

use aya::maps::{Array, Map, MapData, RingBuf};
use meshaccel_abi::names;
use tokio::io::unix::AsyncFd;

use super::maps::{MapsError, open};
use super::pins::Layout;

/// The pinned ring, and the flag that says that it has been written to.
pub struct Wake {
    ring: AsyncFd<RingBuf<MapData>>,
    awake: Array<MapData, u32>,
}

impl Wake {
    /// Opens what is pinned. Needs a tokio runtime.
    pub fn open(layout: &Layout) -> Result<Self, MapsError> {
        let ring: RingBuf<MapData> = open!(layout, names::WAKE, Map::RingBuf);
        // SAFETY: the ring owns its descriptor, which stays the same and open for as long as the ring is there.
        let ring = unsafe { AsyncFd::register(ring) }
            .map_err(|error| MapsError::Wait { name: names::WAKE, source: error.into() })?;
        Ok(Self { ring, awake: open!(layout, names::AWAKE, Map::Array) })
    }

    /// The programs shall wake again. To be called before a pass, so that nothing marked during it is missed.
    pub fn listen(&mut self) -> Result<(), MapsError> {
        self.awake.set(0, 0, 0).map_err(|source| MapsError::Write { name: names::AWAKE, source })
    }

    /// Waits until they do.
    pub async fn woken(&mut self) -> io::Result<()> {
        let mut ready = self.ring.readable_mut().await?;
        while ready.get_inner_mut().next().is_some() {}
        ready.clear_ready();
        Ok(())
    }
}
