//! The folder in bpffs: what is pinned where.
//!
//! `<bpffs>/<capability>/layout-<N>/` ([`Column`], [`Layout`]) holds what one capability has pinned, in one version of its layout: a
//! change of one leaves all others as they are. The self-test's own pins are in `<bpffs>/probe-<pid>/`, of the same shape.
//!
//! All is below the root folder: in a cluster the daemon has only that of the node's bpffs. There it is a mount, and stays when
//! everything else goes: an empty folder.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use thiserror::Error;

use crate::sys::files;

/// Where to pin unless told otherwise.
pub const DEFAULT: &str = "/sys/fs/bpf/meshaccel";
/// Where every distribution mounts the system's.
pub const SYSTEM_BPFFS: &str = "/sys/fs/bpf";
/// What the names of the self-tests' folders begin with; the pid follows.
const SELF_TEST: &str = "probe-";

/// What can go wrong with the folder.
#[derive(Debug, Error)]
pub enum PinsError {
    #[error("cannot mount a BPF file system at {SYSTEM_BPFFS}")]
    Mount(#[source] io::Error),
    #[error("{path} is not on a BPF file system: mount one there, or name a folder below {SYSTEM_BPFFS} with --bpffs")]
    NotBpffs { path: PathBuf },
    #[error("no BPF file system is mounted at {path}, and one that a container mounts ends with it")]
    NotMounted { path: PathBuf },
    #[error("cannot open {path}")]
    Open {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
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
    #[error("meshaccel is being installed or uninstalled at {path} just now; try again when that is over")]
    Busy { path: PathBuf },
    #[error("cannot lock {path}")]
    Lock {
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

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Who installs or uninstalls does so alone: the lock goes with the process, however that ends.
    pub fn lock(&self, wait: bool) -> Result<Flock<File>, PinsError> {
        let failed = |source| PinsError::Lock { path: self.folder.clone(), source };
        let folder = File::open(&self.folder).map_err(failed)?;
        let how = if wait { FlockArg::LockExclusive } else { FlockArg::LockExclusiveNonblock };
        Flock::lock(folder, how).map_err(|(_, errno)| match errno {
            Errno::EWOULDBLOCK => PinsError::Busy { path: self.folder.clone() },
            other => failed(other.into()),
        })
    }

    /// Unpins everything, in the order of what `rank` gives for each name. Gives what it removed.
    pub fn remove(&self, rank: impl Fn(&str) -> u32) -> Result<Vec<PathBuf>, PinsError> {
        let mut paths = list(&self.folder)?;
        paths.sort_by_key(|path| path.file_name().and_then(|name| name.to_str()).map_or(0, &rank));
        for path in &paths {
            std::fs::remove_file(path).map_err(|source| PinsError::Remove { path: path.clone(), source })?;
        }
        std::fs::remove_dir(&self.folder).map_err(|source| PinsError::Remove { path: self.folder.clone(), source })?;
        if let Some(column) = self.folder.parent() {
            // The column's last layout takes its folder with it.
            let _ = std::fs::remove_dir(column);
        }
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

    /// What one capability has pinned.
    pub fn column(&self, name: &str, version: u32) -> Column {
        Column { root: self.root.clone(), folder: self.root.join(name), version }
    }

    /// Where a self-test of the process `pid` pins.
    pub fn self_test(&self, pid: u32) -> Self {
        Self { root: self.root.join(format!("{SELF_TEST}{pid}")) }
    }

    /// Self-tests that have not been removed (yet), with their processes.
    pub fn self_tests(&self) -> Result<Vec<(u32, Self)>, PinsError> {
        if !self.root.exists() {
            return Ok(Vec::new());
        }
        let pid = |path: &Path| path.file_name()?.to_str()?.strip_prefix(SELF_TEST)?.parse().ok();
        Ok(list(&self.root)?.into_iter().filter_map(|root| Some((pid(&root)?, Self { root }))).collect())
    }

    /// Removes the root folder if nothing is left in it.
    pub fn remove_root(&self) {
        let _ = std::fs::remove_dir(&self.root);
    }
}

/// The pins of one capability.
#[derive(Clone, Debug)]
pub struct Column {
    root: PathBuf,
    folder: PathBuf,
    /// The layout that this binary speaks.
    version: u32,
}

impl Column {
    /// The root folder, of all capabilities.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The layout that this binary speaks.
    pub fn own(&self) -> Layout {
        self.layout(self.version)
    }

    fn layout(&self, version: u32) -> Layout {
        Layout { version, folder: self.folder.join(format!("layout-{version}")) }
    }

    /// All layouts that are there, whoever made them.
    pub fn layouts(&self) -> Result<Vec<Layout>, PinsError> {
        if !self.folder.exists() {
            return Ok(Vec::new());
        }
        let versions = list(&self.folder)?.into_iter().filter_map(|path| {
            path.file_name()?.to_str()?.strip_prefix("layout-")?.parse().ok().map(|version| self.layout(version))
        });
        Ok(versions.collect())
    }

    /// Makes the folder of our layout, mounting the system's bpffs if nobody has. Not in a container: nobody else would see it,
    /// and with the container all that is pinned there would go, redirected bytes that nobody has read yet among it.
    pub fn create(&self) -> Result<Layout, PinsError> {
        let system = Path::new(SYSTEM_BPFFS);
        if self.root.starts_with(system) && !files::is_bpffs(system) {
            if files::is_in_container() {
                return Err(PinsError::NotMounted { path: system.to_owned() });
            }
            files::mount_bpffs(system).map_err(PinsError::Mount)?;
            tracing::info!(path = SYSTEM_BPFFS, "Mounted a BPF file system");
        }
        let layout = self.own();
        std::fs::create_dir_all(&layout.folder)
            .map_err(|source| PinsError::Create { path: layout.folder.clone(), source })?;
        if !files::is_bpffs(&layout.folder) {
            for folder in [&layout.folder, &self.folder, &self.root] {
                let _ = std::fs::remove_dir(folder);
            }
            return Err(PinsError::NotBpffs { path: self.root.clone() });
        }
        Ok(layout)
    }
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, PinsError> {
    let read = |source| PinsError::Read { path: folder.to_owned(), source };
    std::fs::read_dir(folder).map_err(read)?.map(|entry| entry.map(|e| e.path()).map_err(read)).collect()
}
