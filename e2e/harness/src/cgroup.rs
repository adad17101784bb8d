//! Control groups of tests: where cgroup v2 is mounted, and groups that go away again.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The first mount of a file system type.
fn mount_of(kind: &str) -> Result<Option<PathBuf>> {
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    Ok(mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let path = words.next()?;
        (words.next()? == kind).then(|| PathBuf::from(path))
    }))
}

/// The root of the cgroup v2 hierarchy.
pub fn root() -> Result<PathBuf> {
    mount_of("cgroup2")?.context("no cgroup v2 hierarchy is mounted")
}

/// A cgroup v1 hierarchy, on hybrid machines.
pub fn v1_root() -> Result<Option<PathBuf>> {
    mount_of("cgroup")
}

/// A cgroup v2 of the test's own; empty it before it is dropped.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    pub fn new(label: &str) -> Result<Self> {
        let name = format!("meshaccel-{}-{}-{label}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = root()?.join(name);
        std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves a process in.
    pub fn take_in(&self, pid: u32) -> Result<()> {
        Ok(std::fs::write(self.path.join("cgroup.procs"), pid.to_string())?)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // A group can be removed only once its processes have been reaped.
        let removed = crate::wait::wait_until(std::time::Duration::from_secs(5), "the cgroup to be empty", || {
            std::fs::remove_dir(&self.path).ok()
        });
        if let Err(error) = removed {
            crate::failure::note_leftover(format!("{}: {error:#}", self.path.display()));
        }
    }
}
