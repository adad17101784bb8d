//! From a pod's uid to the processes in its sandbox, by the cgroup tree alone: whatever the container runtime, the kubelet puts
//! a pod's containers into a cgroup that bears the pod's uid.
//!
//! * cgroupfs driver: `.../kubepods[/burstable|/besteffort]/pod<uid>/<container>`
//! * systemd driver: `.../kubepods-burstable-pod<uid with _>.slice/cri-containerd-<id>.scope` (or `crio-`, `docker-`), with
//!   whatever prefix the kubelet's own slice gives (kind: `kubelet-kubepods-...`)
//!
//! below the root of the cgroup v2 hierarchy, or deeper where the node is itself a container. A static pod's cgroup bears the
//! hash of its manifest instead, since the kubelet runs it before the API server has given it a uid.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use meshaccel_bpf::sys::files::identity;
use meshaccel_bpf::sys::netns;

/// How deep pods' cgroups may lie below the root: kind's systemd tree has four levels above them.
const DEEPEST: usize = 6;
/// Below this only what belongs to a kubelet is followed: a machine may have thousands of cgroups.
const DEEPEST_OTHER: usize = 3;

/// A walk through the whole tree costs a millisecond or more, and finds only the first pod of its kind.
const WALK_EVERY: Duration = Duration::from_secs(1);

/// Pods' cgroups below a root.
#[derive(Debug, Default)]
pub struct Sandboxes {
    root: PathBuf,
    pods: HashMap<String, PathBuf>,
    /// Folders in which pods were found.
    homes: Vec<PathBuf>,
    /// When the whole tree was last looked through.
    walked: Option<Instant>,
}

impl Sandboxes {
    /// Below the mount of the cgroup v2 hierarchy.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), ..Self::default() }
    }

    /// The cgroup of a pod, if there is one by now.
    pub fn cgroup(&mut self, uid: &str) -> Option<PathBuf> {
        if let Some(path) = self.pods.get(uid) {
            if path.exists() {
                return Some(path.clone());
            }
            self.pods.clear();
        }
        // Where there are pods already there will be others; the whole tree is for the first of its kind.
        for home in self.homes.clone() {
            self.look(&home, DEEPEST);
        }
        let due = self.homes.is_empty() || self.walked.is_none_or(|walked| walked.elapsed() >= WALK_EVERY);
        if due && !self.pods.contains_key(uid) {
            self.walked = Some(Instant::now());
            self.look(&self.root.clone(), 0);
        }
        self.pods.get(uid).cloned()
    }

    fn look(&mut self, folder: &Path, depth: usize) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if let Some(uid) = pod_uid(name) {
                self.pods.insert(uid, entry.path());
                if !self.homes.iter().any(|home| home == folder) {
                    self.homes.push(folder.to_owned());
                }
            } else if depth < DEEPEST_OTHER || (depth < DEEPEST && name.contains("kube")) {
                self.look(&entry.path(), depth + 1);
            }
        }
    }
}

/// The uid that a cgroup's name bears.
fn pod_uid(name: &str) -> Option<String> {
    let uid = match name.strip_suffix(".slice") {
        Some(slice) => slice.rsplit_once("-pod")?.1.replace('_', "-"),
        None => name.strip_prefix("pod")?.to_owned(),
    };
    let digits = uid.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = uid.bytes().filter(|byte| *byte == b'-').count();
    // A static pod's is a hash, without dashes.
    (digits == 32 && digits + dashes == uid.len() && (dashes == 4 || dashes == 0)).then_some(uid)
}

/// How deep below a pod's cgroup processes are looked for. A container is one level below it; some runtimes put its processes
/// another one deeper (crun: `crio-<id>.scope/container`), and a container with an init system of its own has them deeper still.
const DEEPEST_PROCESS: u32 = 4;
/// Cgroups of one pod that are looked at: a workload may make as many as it likes.
const MOST_CGROUPS: usize = 256;

/// The processes of a pod, those that are there longest first: the sandbox's, or that of its first container. A later one might
/// have been put into a network namespace of its own by the workload.
pub fn processes(cgroup: &Path) -> Vec<Process> {
    let mut processes = Vec::new();
    let (mut level, mut left) = (vec![cgroup.to_owned()], MOST_CGROUPS);
    // Level by level: what the runtime has made comes before what the workload has.
    for depth in 0..=DEEPEST_PROCESS {
        let mut below = Vec::new();
        for folder in std::mem::take(&mut level) {
            let Some(rest) = left.checked_sub(1) else { break };
            left = rest;
            let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            // 0: a process of another pid namespace, whose number nobody here knows.
            let pids = text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0);
            processes.extend(pids.filter_map(|pid| Some(Process { started: started(pid)?, pid })));
            if depth < DEEPEST_PROCESS {
                let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
                let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
                below.extend(folders.map(|entry| entry.path()).take(MOST_CGROUPS));
            }
        }
        level = below;
    }
    processes.sort_unstable();
    processes
}

/// A process, and when it was started, by which it is told from a later one of the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    started: u64,
    pub pid: i32,
}

impl Process {
    /// The number still means this process.
    pub fn is_there(self) -> bool {
        started(self.pid) == Some(self.started)
    }
}

/// Has it a network namespace other than its parent's? A runtime puts a process into the pod's cgroup first, and into its
/// namespaces a moment later; until then it is in the node's own. Some that watch over containers (conmon) stay there.
pub fn has_moved(pid: i32) -> bool {
    // 0: a parent of another pid namespace.
    let parent = field::<i32>(pid, 4).filter(|parent| *parent > 0);
    let namespace = |pid| identity(&netns::of_process(pid)).ok();
    let own = namespace(pid);
    own.is_some() && own != parent.and_then(namespace)
}

/// When a process was started, in clock ticks since the machine was.
fn started(pid: i32) -> Option<u64> {
    field(pid, 22)
}

/// A field of proc_pid_stat(5), by its number there, from 3.
fn field<T: FromStr>(pid: i32, number: usize) -> Option<T> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, brackets and blanks too.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(number - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "3f2c1a9e-8d47-4b60-9c15-7e2a6b0d4f31";

    #[test]
    fn every_drivers_names_are_read() {
        let underscores = UID.replace('-', "_");
        for name in [
            format!("pod{UID}"),
            format!("kubepods-pod{underscores}.slice"),
            format!("kubepods-besteffort-pod{underscores}.slice"),
            format!("kubelet-kubepods-burstable-pod{underscores}.slice"),
        ] {
            assert_eq!(pod_uid(&name).as_deref(), Some(UID), "{name}");
        }
        let hash = "0123456789abcdef0123456789abcdef";
        assert_eq!(pod_uid(&format!("pod{hash}")).as_deref(), Some(hash));
        for name in ["pods", "kubepods", "pod1", "kubepods.slice", "podman.service", "user-pod.slice", "crio-1.scope"] {
            assert_eq!(pod_uid(name), None, "{name}");
        }
    }

    #[test]
    fn pods_are_found_wherever_a_kubelet_puts_them() {
        let underscores = UID.replace('-', "_");
        let nested =
            "system.slice/docker-1.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice";
        for path in [
            format!("kubepods/burstable/pod{UID}"),
            format!("custom/kubepods/besteffort/pod{UID}"),
            format!("kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{underscores}.slice"),
            format!("{nested}/kubelet-kubepods-burstable-pod{underscores}.slice"),
        ] {
            let root = tempfile::tempdir().unwrap();
            let mut sandboxes = Sandboxes::new(root.path());
            assert_eq!(sandboxes.cgroup(UID), None);
            fs::create_dir_all(root.path().join(&path)).unwrap();
            assert_eq!(sandboxes.cgroup(UID), Some(root.path().join(&path)));
            // Gone, and another beside it.
            fs::remove_dir(root.path().join(&path)).unwrap();
            assert_eq!(sandboxes.cgroup(UID), None);
            let other = "00000000-8d47-4b60-9c15-7e2a6b0d4f31";
            // In the folder where the first was.
            let beside = root.path().join(&path).with_file_name(format!("pod{other}"));
            fs::create_dir(&beside).unwrap();
            assert_eq!(sandboxes.cgroup(other), Some(beside));
        }
    }

    #[test]
    fn a_process_knows_when_it_was_started() {
        let own = started(std::process::id().cast_signed()).unwrap();
        assert!(started(1).unwrap() <= own);
        assert_eq!(started(-1), None);
    }
}
