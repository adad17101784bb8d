//! A ring buffer of which only the wake-up matters.

use std::io;

use aya::maps::{Map, MapData, RingBuf};
use tokio::io::unix::AsyncFd;

use crate::maps::MapsError;
use crate::open;
use crate::pins::Layout;

/// A pinned ring, waited for.
pub struct WakeUp(AsyncFd<RingBuf<MapData>>);

impl WakeUp {
    /// Opens what is pinned under a name. Needs a tokio runtime.
    ///
    /// # Errors
    /// When nothing, or something else, is pinned there, or it cannot be waited for.
    pub fn open(layout: &Layout, name: &'static str) -> Result<Self, MapsError> {
        let ring: RingBuf<MapData> = open!(layout, name, Map::RingBuf);
        // SAFETY: the ring owns its descriptor, which stays the same and open for as long as the ring is there.
        let ring =
            unsafe { AsyncFd::register(ring) }.map_err(|error| MapsError::Wait { name, source: error.into() })?;
        Ok(Self(ring))
    }

    /// Waits until something is written to it.
    ///
    /// # Errors
    /// When the runtime cannot wait any more.
    pub async fn woken(&mut self) -> io::Result<()> {
        let mut ready = self.0.readable_mut().await?;
        while ready.get_inner_mut().next().is_some() {}
        ready.clear_ready();
        Ok(())
    }
}
