//! A folder of manifests as a source: what it held when last read, and waiting for it to change.
//!
//! Joins [`contents`] (which files are good, and what they hold) and [`watch`] (when to look again). A change is noted
//! before it is read, and the watch stands before the first look, so that nothing falls between the two.

mod contents;
mod watch;

use std::io;
use std::path::{Path, PathBuf};

use meshaccel_model::Objects;

use self::contents::Contents;
use self::watch::Watch;

/// The folder of manifests cannot be a source. Only at start: what happens to it later is a problem in [`Objects`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not there, or not a folder, or not ours to read.
    #[error("cannot read the folder of manifests {}", path.display())]
    ReadFolder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The kernel gave no inotify instance.
    #[error("cannot watch the folder of manifests {}", path.display())]
    WatchFolder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Every `*.yaml`, `*.yml` and `*.json` of one folder; not of folders below it, and not hidden files.
#[derive(Debug)]
pub struct ManifestFolder {
    path: PathBuf,
    contents: Contents,
    watch: Watch,
}

impl ManifestFolder {
    /// Reads the folder and begins to watch it. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the folder cannot be read or watched now: a mistyped path is better told at once than waited for.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let given = path.as_ref();
        let path = resolve(given).map_err(|source| Error::ReadFolder { path: given.to_owned(), source })?;
        let mut watch = Watch::new(&path).map_err(|source| Error::WatchFolder { path: given.to_owned(), source })?;
        // Readable now? Later it may well not be, and then the last good state stays.
        std::fs::read_dir(&path).map_err(|source| Error::ReadFolder { path: given.to_owned(), source })?;
        watch.arm();
        let mut contents = Contents::default();
        contents.read_all(&path);
        watch.follow_links(contents.names());
        Ok(Self { path, contents, watch })
    }

    /// The state as last read.
    #[must_use]
    pub fn objects(&self) -> Objects {
        self.contents.objects()
    }

    /// Waits for the next state that differs from the last one. Cancel safe.
    pub async fn changed(&mut self) -> Objects {
        loop {
            let change = self.watch.next().await;
            // No await from here on: the change is taken, and must not be lost.
            let differs = if change.all {
                self.watch.arm();
                let differs = self.contents.read_all(&self.path);
                self.watch.follow_links(self.contents.names());
                differs
            } else {
                self.watch.follow_links(change.files.iter().map(String::as_str));
                let read = |differs, name: &String| self.contents.read_one(&self.path, name) || differs;
                change.files.iter().fold(false, read)
            };
            if differs {
                return self.objects();
            }
        }
    }
}

/// The folder's path without `..` and without links above it, but with the folder itself still a link if it is one:
/// a link that is swapped for another is a usual way of replacing all files at once.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok(parent.canonicalize()?.join(name)),
        _ => path.canonicalize(),
    }
}

#[cfg(test)]
mod tests;
