//! Observes where selected pods live: from a path to a network namespace's cookie. Looks, never changes anything.

mod sandbox;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use thiserror::Error;

use self::sandbox::Sandboxes;
use crate::select::Location;
use crate::sys::files::{self, Identity, identity};
use crate::sys::netns::{self, NetnsCookie};

/// Why a pod's network namespace cannot be had. The message is read after the path's field.
#[derive(Debug, Error)]
pub enum LocateError {
    #[error("{path} does not exist")]
    NoPath { path: PathBuf },
    #[error("{path} is not a network namespace")]
    NotNetns { path: PathBuf },
    #[error("{path} is in a cgroup v1 hierarchy; name the pod's folder below {root}")]
    CgroupV1 { path: PathBuf, root: PathBuf },
    #[error("{path} is not a cgroup")]
    NotCgroup { path: PathBuf },
    #[error("no process is in the cgroup {path} yet")]
    EmptyCgroup { path: PathBuf },
    #[error("{path} is the network namespace of this machine itself; pods with hostNetwork are not accelerated")]
    HostNetwork { path: PathBuf },
    #[error("it has no sandbox on this node (yet)")]
    NoSandbox,
    #[error("{path} cannot be entered: {source}")]
    Enter {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// A pod's network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Residence {
    /// Its cookie.
    pub cookie: NetnsCookie,
    /// A path that leads to it now.
    pub path: PathBuf,
    /// How often its connections must send something through TCP.
    pub keep_alive: Duration,
}

/// How long a cookie is believed for a path that looks the same. Entering a namespace costs a thread, and a node may
/// have hundreds; what identifies the file (device, inode, mount) changes whenever `ip netns` makes it anew.
pub const BELIEVED: Duration = Duration::from_secs(60);
/// The longest that a connection sends nothing through TCP, where no conntrack time-out asks for less.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// Finds residences, remembering what it found.
#[derive(Debug, Default)]
pub struct Locator {
    known: HashMap<PathBuf, Known>,
    sandboxes: Sandboxes,
    /// Where pods that are named by their uid were found.
    found: HashMap<String, PathBuf>,
    host: Option<NetnsCookie>,
    /// What this machine's own conntrack asks for: it may stand between two pods.
    host_keep_alive: Option<(Duration, Instant)>,
}

#[derive(Debug)]
struct Known {
    identity: Identity,
    cookie: NetnsCookie,
    keep_alive: Duration,
    since: Instant,
}

impl Locator {
    /// Learns this machine's own namespace: that of process 1. (The daemon may be in a pod, with that pod's.) `cgroups`: the
    /// root of the cgroup v2 hierarchy.
    pub fn new(cgroups: &Path) -> Self {
        let host = netns::cookie_at(&netns::of_process(1)).or_else(|_| netns::own_cookie()).ok();
        Self { sandboxes: Sandboxes::new(cgroups), host, ..Self::default() }
    }

    /// Where a pod lives now.
    pub fn locate(&mut self, location: &Location, now: Instant) -> Result<Residence, LocateError> {
        let (path, named) = match location {
            Location::Netns(path) => (path.clone(), path.clone()),
            Location::Cgroup(path) => (netns_of_cgroup(path)?, path.clone()),
            Location::Pod(uid) => {
                let path = self.netns_of_pod(uid).ok_or(LocateError::NoSandbox)?;
                (path.clone(), path)
            }
        };
        let (cookie, keep_alive) = self.look(&path, now)?;
        if self.host == Some(cookie) {
            return Err(LocateError::HostNetwork { path: named });
        }
        let keep_alive = keep_alive.min(self.host_keep_alive(now));
        Ok(Residence { cookie, path, keep_alive })
    }

    /// By a process that was in its sandbox before, as long as that namespace is there; else by the cgroup.
    fn netns_of_pod(&mut self, uid: &str) -> Option<PathBuf> {
        if let Some(path) = self.found.get(uid)
            && self.known.get(path).is_some_and(|known| identity(path).is_ok_and(|now| now == known.identity))
        {
            return Some(path.clone());
        }
        self.found.remove(uid);
        let process = sandbox::oldest_process(&self.sandboxes.cgroup(uid)?).filter(|pid| sandbox::has_moved(*pid))?;
        let path = netns::of_process(process);
        self.found.insert(uid.to_owned(), path.clone());
        Some(path)
    }

    fn host_keep_alive(&mut self, now: Instant) -> Duration {
        match self.host_keep_alive {
            Some((keep_alive, since)) if now.duration_since(since) < BELIEVED => keep_alive,
            _ => self.host_keep_alive.insert((keep_alive(), now)).0,
        }
    }

    /// Every path leads to what it led to.
    pub fn is_unchanged(&self) -> bool {
        self.known.iter().all(|(path, known)| identity(path).is_ok_and(|now| now == known.identity))
    }

    /// Forgets paths that were not asked for lately.
    pub fn forget_old(&mut self, now: Instant) {
        self.known.retain(|_, known| known.since + 2 * BELIEVED >= now);
        self.found.retain(|_, path| self.known.contains_key(path));
    }

    fn look(&mut self, path: &Path, now: Instant) -> Result<(NetnsCookie, Duration), LocateError> {
        let identity = identity(path).map_err(|_| LocateError::NoPath { path: path.to_owned() })?;
        if let Some(known) = self.known.get(path)
            && known.identity == identity
            && now.duration_since(known.since) < BELIEVED
        {
            return Ok((known.cookie, known.keep_alive));
        }
        if !files::is_namespace(path) {
            return Err(LocateError::NotNetns { path: path.to_owned() });
        }
        let seen = netns::enter(path, || netns::own_cookie().map(|cookie| (cookie, keep_alive())));
        let (cookie, keep_alive) = seen.flatten().map_err(|source| match source.raw_os_error() {
            // A namespace of another kind.
            Some(libc::EINVAL) => LocateError::NotNetns { path: path.to_owned() },
            _ => LocateError::Enter { path: path.to_owned(), source },
        })?;
        self.known.insert(path.to_owned(), Known { identity, cookie, keep_alive, since: now });
        Ok((cookie, keep_alive))
    }
}

/// A quarter of the time after which the conntrack of the thread's namespace forgets a silent connection.
fn keep_alive() -> Duration {
    // /proc/sys/net shows the namespace of the reading thread. Without conntrack the file is not there.
    let file = std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established");
    let timeout = file.ok().and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    timeout.map_or(LONGEST_SILENCE, |timeout| LONGEST_SILENCE.min(timeout / 4))
}

/// The network namespace of a cgroup: that of any process in it, or below it (a pod's containers are folders below).
fn netns_of_cgroup(cgroup: &Path) -> Result<PathBuf, LocateError> {
    let path = cgroup.to_owned();
    if !cgroup.exists() {
        return Err(LocateError::NoPath { path });
    }
    if files::is_cgroup1(cgroup) {
        let mounted = Path::new(files::CGROUPS);
        let root = files::cgroup2_root(mounted).unwrap_or_else(|| mounted.to_owned());
        return Err(LocateError::CgroupV1 { path, root });
    }
    if !files::is_cgroup2(cgroup) {
        return Err(LocateError::NotCgroup { path });
    }
    let process = first_process(cgroup, 0).ok_or(LocateError::EmptyCgroup { path })?;
    Ok(netns::of_process(process))
}

/// Containers lie one or two levels below a pod; deeper trees are the workload's own business.
const DEEPEST: u32 = 4;

fn first_process(cgroup: &Path, depth: u32) -> Option<i32> {
    let processes = std::fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    if let Some(process) = processes.lines().find_map(|line| line.parse().ok().filter(|pid| *pid > 0)) {
        return Some(process);
    }
    if depth == DEEPEST {
        return None;
    }
    let folders = std::fs::read_dir(cgroup).ok()?.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
    folders.into_iter().find_map(|folder| first_process(&folder.path(), depth + 1))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn locate(location: Location) -> String {
        Locator::new(Path::new("/sys/fs/cgroup")).locate(&location, Instant::now()).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_path_is_named_with_what_is_wrong() {
        let netns = |path: &str| locate(Location::Netns(path.into()));
        assert_eq!(netns("/run/netns/nobody"), "/run/netns/nobody does not exist");
        assert_eq!(netns("/etc/hostname"), "/etc/hostname is not a network namespace");
        assert_eq!(netns("/proc/self/ns/uts"), "/proc/self/ns/uts is not a network namespace");
        assert!(netns("/proc/self/ns/net").contains("pods with hostNetwork are not accelerated"));
        let cgroup = |path: &str| locate(Location::Cgroup(path.into()));
        assert_eq!(cgroup("/tmp"), "/tmp is not a cgroup");
        assert_eq!(cgroup("/sys/fs/cgroup/nobody"), "/sys/fs/cgroup/nobody does not exist");
    }

    #[test]
    fn a_namespace_is_known_by_its_cookie() {
        let mut locator = Locator::new(Path::new("/sys/fs/cgroup"));
        locator.host = None;
        let here = Location::Netns("/proc/self/ns/net".into());
        let found = locator.locate(&here, Instant::now()).unwrap();
        assert_eq!(found.cookie, netns::own_cookie().unwrap());
        let other = netns::in_new(netns::own_cookie).unwrap().unwrap();
        assert_ne!(found.cookie, other);
    }

    /// In a control group, and still in the network namespace that it was started in: that is the node's.
    #[test]
    fn a_sandbox_that_is_being_started_is_not_taken_for_the_node() {
        const UID: &str = "3f2c1a9e-8d47-4b60-9c15-7e2a6b0d4f31";
        let root = tempfile::tempdir().unwrap();
        let container = root.path().join(format!("kubepods/pod{UID}/container"));
        std::fs::create_dir_all(&container).unwrap();
        let mut locator = Locator { host: None, ..Locator::new(root.path()) };
        let mut locate_with = |program: &str, arguments: &[&str], limit: Duration| {
            let mut child = Command::new(program).args(arguments).spawn().unwrap();
            std::fs::write(container.join("cgroup.procs"), child.id().to_string()).unwrap();
            let start = Instant::now();
            let found = loop {
                let found = locator.locate(&Location::Pod(UID.to_owned()), Instant::now());
                if found.is_ok() || start.elapsed() > limit {
                    break found;
                }
                std::thread::sleep(Duration::from_millis(10));
            };
            child.kill().unwrap();
            child.wait().unwrap();
            found
        };
        let stayed = locate_with("sleep", &["60"], Duration::from_millis(100));
        assert!(matches!(stayed, Err(LocateError::NoSandbox)), "{stayed:?}");
        let moved = locate_with("unshare", &["--net", "sleep", "60"], Duration::from_secs(10)).unwrap();
        assert_ne!(moved.cookie, netns::own_cookie().unwrap());
    }
}
