//! The proof that nothing is left: what existed before is noted, and whatever is new at the end is named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use meshaccel_e2e_harness::bpf::{Object, Objects};
use meshaccel_e2e_harness::{cgroup, wait};
use meshaccel_e2e_mesh::sweep;

/// The kernel frees maps and programs a little after their last user is gone.
const LIMIT: Duration = Duration::from_secs(10);

/// What there was before.
#[derive(Debug)]
pub(super) struct Snapshot {
    objects: Objects,
    pins: BTreeSet<PathBuf>,
    cgroups: BTreeSet<PathBuf>,
}

impl Snapshot {
    pub(super) fn take() -> Result<Self> {
        let (pins, cgroups) = (tree(Path::new("/sys/fs/bpf")), tree(&cgroup::root()?));
        Ok(Self { objects: Object::all("ma_")?, pins, cgroups })
    }

    /// The sentence that says that nothing is left, or the error that says what is.
    pub(super) fn nothing_left(&self) -> Result<String> {
        let mut left = Vec::new();
        // Not `interrupt::until`: an interrupted demo must look as well.
        let gone = wait::until("everything to be gone", LIMIT, || {
            left = self.left()?;
            Ok(left.is_empty().then_some(()))
        });
        if gone.is_err() {
            bail!("left behind: {}", left.join(", "));
        }
        Ok("nothing: no program, map, link, pin, network namespace, process, cgroup or file".to_owned())
    }

    fn left(&self) -> Result<Vec<String>> {
        let now = Self::take()?;
        let objects = now.objects.difference(&self.objects).map(|o| format!("{:?} {} ({})", o.kind, o.id, o.name));
        let paths = now.pins.difference(&self.pins).chain(now.cgroups.difference(&self.cgroups));
        let mut left: Vec<String> = objects.chain(paths.map(|path| path.display().to_string())).collect();
        left.extend(sweep::own(Path::new("/run/netns")).into_iter().map(|name| format!("namespace {name}")));
        left.extend(sweep::own(&std::env::temp_dir()).into_iter().map(|name| format!("directory {name}")));
        left.extend(children().into_iter().map(|pid| format!("process {pid}")));
        Ok(left)
    }
}

/// All directories and files below `root` that belong to meshaccel by name; a root that is not mounted is empty.
fn tree(root: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.to_string_lossy().contains("meshaccel") {
                found.insert(path.clone());
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            }
        }
    }
    found
}

/// Processes that this one started and that have not ended.
fn children() -> Vec<String> {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}
