//! Where the objects come from: a folder of manifests, or an API server.
//!
//! Owns reading and watching, and what is wrong with what was read. Hands over whole states ([`Objects`]), never
//! changes, so that whoever acts on them compares states and cannot miss an event. A source that fails says so in
//! [`Objects::problems`] and keeps the last good state; it never ends the daemon.

#![forbid(unsafe_code)]

pub mod cluster;
mod document;
mod folder;
mod object;

use meshaccel_model::Objects;

pub use cluster::Cluster;
pub use folder::{Error, ManifestFolder};

/// Does somebody read this annotation?
pub type IsRead = fn(&str) -> bool;

/// Where the objects come from.
pub enum Source {
    /// Files in a folder.
    Manifests(ManifestFolder),
    /// An API server.
    Cluster(Cluster),
}

impl Source {
    /// The state as last read; `None` while not all of it has been read.
    #[must_use]
    pub fn objects(&self) -> Option<Objects> {
        match self {
            Self::Manifests(folder) => Some(folder.objects()),
            Self::Cluster(cluster) => cluster.objects(),
        }
    }

    /// Waits for the next state that differs from the last one. Cancel safe: a change that was seen and not yet handed
    /// over is handed over by the next call.
    pub async fn changed(&mut self) -> Objects {
        match self {
            Self::Manifests(folder) => folder.changed().await,
            Self::Cluster(cluster) => cluster.changed().await,
        }
    }
}
