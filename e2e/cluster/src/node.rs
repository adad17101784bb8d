//! What is done to a cluster's node from below: its processes, its disk, its kernel objects.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::cgroup;

use super::Cluster;

impl Cluster {
    /// A file of the node, by its path there.
    pub fn node_file(&self, path: &str) -> Result<PathBuf> {
        let holder = std::fs::read_to_string(self.folder.join("pids/holder")).context("the node's first process")?;
        let pid = holder.split(' ').next().unwrap_or_default();
        Ok(PathBuf::from(format!("/proc/{pid}/root{path}")))
    }

    /// Kills a pod's processes of that name (at most 15 characters of it), as nobody can prepare for; how many there were.
    pub fn kill_processes(&self, namespace: &str, pod: &str, process: &str) -> Result<usize> {
        let object = self.get_json(&["pod", pod, "-n", namespace])?;
        let uid = object["metadata"]["uid"].as_str().context("the pod has no uid")?;
        let root = cgroup::root()?.join(format!("meshaccel-{}", self.name));
        let group = find(&root, &format!("pod{uid}")).with_context(|| format!("no control group of {pod}"))?;
        let mut killed = 0;
        for pid in processes(&group) {
            if std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == process) {
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)?;
                killed += 1;
            }
        }
        Ok(killed)
    }

    /// Keeps a copy of what etcd has on its disk. It must not run.
    pub fn save_state(&self) -> Result<()> {
        copy(&self.folder.join("etcd"), &self.folder.join("etcd-saved"))
    }

    /// Puts the copy back: the cluster's state and its revisions are those of then. etcd must not run.
    pub fn restore_state(&self) -> Result<()> {
        let saved = self.folder.join("etcd-saved");
        ensure!(saved.is_dir(), "no state was saved");
        std::fs::remove_dir_all(self.folder.join("etcd"))?;
        copy(&saved, &self.folder.join("etcd"))
    }
}

/// The folder of that name somewhere below.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let folders = || std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = || folders().filter(|path| path.is_dir());
    folders().find(|path| path.ends_with(name)).or_else(|| folders().find_map(|path| find(&path, name)))
}

/// The processes of a control group and those below.
fn processes(group: &Path) -> Vec<i32> {
    let own = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let mut pids: Vec<i32> = own.lines().filter_map(|line| line.parse().ok()).collect();
    for entry in std::fs::read_dir(group).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir()) {
        pids.extend(processes(&entry.path()));
    }
    pids
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target).with_context(|| target.display().to_string())?;
        }
    }
    Ok(())
}
