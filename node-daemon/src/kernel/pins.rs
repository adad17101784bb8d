//! The folder in bpffs: what is pinned where.
//!
//! `<bpffs>/layout-<N>/` holds the maps, the sock_ops link (`ma_sockops`) and the links of two iterators of one layout version.
//! A daemon of layout M that finds another `layout-<N>` retires it: switches it off by its `ma_switches`, reads its
//! `ma_retire` until nothing remains, and removes the folder. Those two names and formats never change.

use std::io;
use std::path::{Path, PathBuf};

use meshaccel_abi::{LAYOUT, names};
use thiserror::Error;

use crate::sys::files;

/// Where to pin unless told otherwise.
pub const DEFAULT: &str = "/sys/fs/bpf/meshaccel";
const SYSTEM_BPFFS: &str = "/sys/fs/bpf";

/// What can go wrong with the folder.
#[derive(Debug, Error)]
pub enum PinsError {
    #[error("cannot mount a BPF file system at {SYSTEM_BPFFS}")]
    Mount(#[source] io::Error),
    #[error("{path} is not on a BPF file system: mount one there, or name a folder below {SYSTEM_BPFFS} with --bpffs")]
    NotBpffs { path: PathBuf },
    #[error("cannot create {path}")]
    Create {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot remove {path}")]
    Remove {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot read {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// The folder of one layout version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Its version.
    pub version: u32,
    folder: PathBuf,
}

impl Layout {
    /// Path of a map, or of an iterator's link.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Path of the sock_ops link.
    pub fn sock_ops_link(&self) -> PathBuf {
        self.path(names::SOCKOPS)
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Unpins everything: the sock_ops link first, so that nothing new is recorded, the maps last. Gives what it
    /// removed.
    pub fn remove(&self) -> Result<Vec<PathBuf>, PinsError> {
        let mut paths = list(&self.folder)?;
        paths.sort_by_key(|path| {
            let is = |name: &str| path.file_name().is_some_and(|f| f == name);
            if is(names::SOCKOPS) { 0 } else { 1 + usize::from(names::MAPS.iter().any(|name| is(name))) }
        });
        for path in &paths {
            std::fs::remove_file(path).map_err(|source| PinsError::Remove { path: path.clone(), source })?;
        }
        std::fs::remove_dir(&self.folder).map_err(|source| PinsError::Remove { path: self.folder.clone(), source })?;
        Ok(paths)
    }
}

/// The root of one installation's pins.
#[derive(Clone, Debug)]
pub struct Pins {
    root: PathBuf,
}

impl Pins {
    /// At `root`; looks at nothing yet.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The layout that this binary speaks.
    pub fn own(&self) -> Layout {
        self.layout(LAYOUT)
    }

    fn layout(&self, version: u32) -> Layout {
        Layout { version, folder: self.root.join(format!("layout-{version}")) }
    }

    /// All layouts that are there, whoever made them.
    pub fn layouts(&self) -> Result<Vec<Layout>, PinsError> {
        if !self.root.exists() {
            return Ok(Vec::new());
        }
        let versions = list(&self.root)?.into_iter().filter_map(|path| {
            path.file_name()?.to_str()?.strip_prefix("layout-")?.parse().ok().map(|version| self.layout(version))
        });
        Ok(versions.collect())
    }

    /// Makes the folder of our layout, mounting the system's bpffs if nobody has.
    pub fn create(&self) -> Result<Layout, PinsError> {
        let system = Path::new(SYSTEM_BPFFS);
        if self.root.starts_with(system) && !files::is_bpffs(system) {
            files::mount_bpffs(system).map_err(PinsError::Mount)?;
            tracing::info!(path = SYSTEM_BPFFS, "Mounted a BPF file system");
        }
        let layout = self.own();
        std::fs::create_dir_all(&layout.folder)
            .map_err(|source| PinsError::Create { path: layout.folder.clone(), source })?;
        if !files::is_bpffs(&layout.folder) {
            let _ = std::fs::remove_dir(&layout.folder);
            let _ = std::fs::remove_dir(&self.root);
            return Err(PinsError::NotBpffs { path: self.root.clone() });
        }
        Ok(layout)
    }

    /// Removes the root folder if nothing is left in it.
    pub fn remove_root(&self) {
        let _ = std::fs::remove_dir(&self.root);
    }
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, PinsError> {
    let read = |source| PinsError::Read { path: folder.to_owned(), source };
    std::fs::read_dir(folder).map_err(read)?.map(|entry| entry.map(|e| e.path()).map_err(read)).collect()
}
