//! Observes where selected pods live: from a path, a cgroup or a uid to a network namespace. Looks, never changes anything.

#![forbid(unsafe_code)]

mod conntrack;
mod sandbox;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use meshaccel_bpf::sys::files::{self, Identity, identity};
use meshaccel_bpf::sys::netns::{self, Namespace};
use meshaccel_model::{KeepAlive, Location};
use thiserror::Error;

use self::conntrack::keep_alive_here;
use self::sandbox::{Process, Sandboxes};

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
#[derive(Clone, Debug)]
pub struct PodNetns {
    pub namespace: Namespace,
    /// How often its connections must send something through TCP.
    pub keep_alive: KeepAlive,
}

/// How long the time-outs of conntrack are believed, for each pod that there is: reading them takes a thread that enters the
/// namespace (some 0.1 ms), and a node may have hundreds, so some ten are read a second.
const BELIEVED_PER_POD: Duration = Duration::from_millis(100);
/// And at least, and at most. With the look that finds it over they are known after half a minute at most.
const BELIEVED_AT_LEAST: Duration = Duration::from_millis(900);
const BELIEVED: Duration = Duration::from_secs(25);
/// When what nobody asks for is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(120);

/// Finds namespaces, remembering what it found.
#[derive(Debug, Default)]
pub struct Locator {
    known: HashMap<PathBuf, Known>,
    sandboxes: Sandboxes,
    /// Where pods that are named by their uid were found.
    found: HashMap<String, Process>,
    /// This machine's own: its conntrack, too, may stand between two pods.
    host: Option<Namespace>,
    host_keep_alive: Option<(KeepAlive, Instant)>,
    /// On the mount of namespaces that have no name.
    unnamed: Option<Identity>,
}

#[derive(Debug)]
struct Known {
    identity: Identity,
    namespace: Namespace,
    keep_alive: KeepAlive,
    /// When that was read.
    read: Instant,
    /// When somebody asked last.
    asked: Instant,
}

/// What leads to a namespace.
#[derive(Clone, Debug)]
enum Lead {
    File(PathBuf),
    Process(Process),
}

impl Lead {
    fn path(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Process(process) => netns::of_process(process.pid),
        }
    }

    fn follow(&self) -> io::Result<Namespace> {
        match self {
            Self::File(path) => Namespace::at(path),
            Self::Process(process) => {
                let namespace = Namespace::of_process(process.pid)?;
                // Its number might have been given to another before it was opened.
                if process.is_there() && namespace.has_ended() == Some(false) {
                    Ok(namespace)
                } else {
                    Err(io::Error::from_raw_os_error(libc::ESRCH))
                }
            }
        }
    }
}

impl Locator {
    /// Learns this machine's own namespace: that of process 1. (The daemon may be in a pod, with that pod's.) `cgroups`: the
    /// root of the cgroup v2 hierarchy.
    pub fn new(cgroups: &Path) -> Self {
        let own = Path::new("/proc/self/ns/net");
        let host = Namespace::of_process(1).or_else(|_| Namespace::at(own)).ok();
        Self { sandboxes: Sandboxes::new(cgroups), host, unnamed: identity(own).ok(), ..Self::default() }
    }

    /// Where a pod lives now.
    pub fn locate(&mut self, location: &Location, now: Instant) -> Result<PodNetns, LocateError> {
        let (lead, named) = match location {
            Location::Netns(path) => (Lead::File(path.clone()), path.clone()),
            Location::Cgroup(path) => (Lead::Process(process_of_cgroup(path)?), path.clone()),
            Location::Pod(uid) => {
                let lead = Lead::Process(self.process_of_pod(uid).ok_or(LocateError::NoSandbox)?);
                let path = lead.path();
                (lead, path)
            }
        };
        let (namespace, keep_alive) = self.look(&lead, now)?;
        if self.host.as_ref().is_some_and(|host| host.cookie() == namespace.cookie()) {
            return Err(LocateError::HostNetwork { path: named });
        }
        let keep_alive = keep_alive.min(self.host_keep_alive(now));
        Ok(PodNetns { namespace, keep_alive })
    }

    /// One that was in its sandbox before, as long as it is there; else by the cgroup.
    fn process_of_pod(&mut self, uid: &str) -> Option<Process> {
        if let Some(&process) = self.found.get(uid) {
            let path = netns::of_process(process.pid);
            if self.known.get(&path).is_some_and(|known| self.leads_there_still(&path, known)) {
                return Some(process);
            }
        }
        self.found.remove(uid);
        let processes = sandbox::processes(&self.sandboxes.cgroup(uid)?);
        let process = processes.into_iter().find(|process| sandbox::has_moved(process.pid))?;
        self.found.insert(uid.to_owned(), process);
        Some(process)
    }

    /// Conntrack's own time-outs of this machine: the daemon's pod has others.
    fn host_keep_alive(&mut self, now: Instant) -> KeepAlive {
        if let Some((keep_alive, read)) = self.host_keep_alive
            && now.duration_since(read) < self.believed()
        {
            return keep_alive;
        }
        let host = self.host.as_ref().and_then(|host| host.enter(keep_alive_here).ok());
        self.host_keep_alive.insert((host.unwrap_or(KeepAlive::NONE), now)).0
    }

    /// How long time-outs are believed, as many pods as there are.
    pub fn believed(&self) -> Duration {
        let pods = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        BELIEVED_PER_POD.saturating_mul(pods).clamp(BELIEVED_AT_LEAST, BELIEVED)
    }

    /// Every path leads to what it led to.
    pub fn is_unchanged(&self) -> bool {
        self.known.iter().all(|(path, known)| self.leads_there_still(path, known))
    }

    /// Costs a system call or two, and a thread where the kernel has nothing that would tell one name from a later one. A namespace
    /// is its cookie; inodes are given again. But while the process lives by which it is reached, only that can go elsewhere, and the
    /// namespace that it goes to is numbered while this one is there.
    fn leads_there_still(&self, path: &Path, known: &Known) -> bool {
        let same = || identity(path).is_ok_and(|now| now == known.identity);
        match known.namespace.has_ended() {
            Some(has_ended) => !has_ended && same(),
            None if known.identity.is_for_ever(self.unnamed) => same(),
            None => same() && known.namespace.enter(|| ()).is_ok(),
        }
    }

    /// Forgets paths that were not asked for lately.
    pub fn forget_old(&mut self, now: Instant) {
        self.known.retain(|_, known| known.asked + FORGOTTEN >= now);
        self.found.retain(|_, process| self.known.contains_key(&netns::of_process(process.pid)));
    }

    fn look(&mut self, lead: &Lead, now: Instant) -> Result<(Namespace, KeepAlive), LocateError> {
        let path = lead.path();
        let known = self.known.get(&path).filter(|known| self.leads_there_still(&path, known));
        let (identity, namespace) = match known {
            Some(known) if now.duration_since(known.read) < self.believed() => {
                let found = (known.namespace.clone(), known.keep_alive);
                if let Some(known) = self.known.get_mut(&path) {
                    known.asked = now;
                }
                return Ok(found);
            }
            Some(known) => (known.identity, Ok(known.namespace.clone())),
            None => {
                let identity = identity(&path).map_err(|_| LocateError::NoPath { path: path.clone() })?;
                if !files::is_namespace(&path) {
                    return Err(LocateError::NotNetns { path });
                }
                (identity, lead.follow())
            }
        };
        let seen = namespace.and_then(|namespace| Ok((namespace.enter(keep_alive_here)?, namespace)));
        let (keep_alive, namespace) = seen.map_err(|source| match source.raw_os_error() {
            // A namespace of another kind.
            Some(libc::EINVAL) => LocateError::NotNetns { path: path.clone() },
            // Its process has just ended.
            Some(libc::ESRCH) => LocateError::NoPath { path: path.clone() },
            _ => LocateError::Enter { path: path.clone(), source },
        })?;
        let known = Known { identity, namespace: namespace.clone(), keep_alive, read: now, asked: now };
        self.known.insert(path, known);
        Ok((namespace, keep_alive))
    }
}

/// A process in a cgroup or below it (a pod's containers are folders below): the one that is there longest.
fn process_of_cgroup(cgroup: &Path) -> Result<Process, LocateError> {
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
    sandbox::processes(cgroup).into_iter().next().ok_or(LocateError::EmptyCgroup { path })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

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
        assert_eq!(found.namespace.cookie(), netns::own_cookie().unwrap());
        let other = netns::in_new(netns::own_cookie).unwrap().unwrap();
        assert_ne!(found.namespace.cookie(), other);
    }

    /// The kernel gives the inode and the mount's number of a deleted one to the next, once it is really gone.
    #[test]
    fn a_name_that_is_given_to_another_namespace_is_looked_at_again() {
        let name = format!("ma-{}-observe", std::process::id());
        let ip = |arguments: &[&str]| assert!(Command::new("ip").args(arguments).status().unwrap().success());
        let mut locator = Locator::new(Path::new("/sys/fs/cgroup"));
        let place = Location::Netns(Path::new("/run/netns").join(&name));
        let number = |path: &Path| std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap());
        let Location::Netns(path) = &place else { unreachable!() };
        let (start, mut before) = (Instant::now(), None);
        for round in 0.. {
            assert!(start.elapsed() < Duration::from_secs(60), "no inode was given again in {round} rounds");
            ip(&["netns", "add", &name]);
            let (unchanged, inode) = (locator.is_unchanged(), number(path));
            let cookie = locator.locate(&place, Instant::now()).map(|found| found.namespace.cookie());
            ip(&["netns", "del", &name]);
            let now = (cookie.unwrap(), inode);
            if let Some(before) = before.replace(now) {
                assert!(!unchanged, "a namespace of the same name is taken for the one before");
                assert_ne!(now.0, before.0);
                if now.1 == before.1 {
                    break;
                }
            }
            // A worker of the kernel frees it, a little later; only then the next one may have its number.
            std::thread::sleep(Duration::from_millis(100 * round));
        }
    }

    #[test]
    fn a_static_pod_or_a_nested_one_is_found_by_the_processes_below_its_cgroup() {
        const HASH: &str = "0123456789abcdef0123456789abcdef";
        let root = tempfile::tempdir().unwrap();
        let pod = root.path().join(format!("kubepods.slice/kubepods-pod{HASH}.slice"));
        // crun's way, without a process of the sandbox; and what watches over the container, in the node's namespace.
        let (nested, watcher) = (pod.join("crio-1.scope/container"), pod.join("crio-conmon-1.scope"));
        std::fs::create_dir_all(&nested).unwrap();
        std::fs::create_dir_all(&watcher).unwrap();
        let mut locator = Locator { host: None, ..Locator::new(root.path()) };
        let mut children = vec![Command::new("sleep").arg("60").spawn().unwrap()];
        std::fs::write(watcher.join("cgroup.procs"), children[0].id().to_string()).unwrap();
        // In a user namespace of its own, as pods with hostUsers: false are.
        let arguments = ["--user", "--map-root-user", "--net", "sleep", "60"];
        children.push(Command::new("unshare").args(arguments).spawn().unwrap());
        std::fs::write(nested.join("cgroup.procs"), children[1].id().to_string()).unwrap();
        let start = Instant::now();
        let found = loop {
            let found = locator.locate(&Location::Pod(HASH.to_owned()), Instant::now());
            if found.is_ok() || start.elapsed() > Duration::from_secs(10) {
                break found;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let unchanged = locator.is_unchanged();
        for mut child in children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_ne!(found.unwrap().namespace.cookie(), netns::own_cookie().unwrap());
        assert!(unchanged && !locator.is_unchanged(), "that its process has ended is not noticed");
    }

    /// The daemon may be in a pod, whose conntrack nothing passes.
    #[test]
    fn the_machines_conntrack_is_asked_where_it_is() {
        let script = "echo 40 >/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established && echo && read x";
        let mut machine = Command::new("unshare")
            .args(["--net", "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(machine.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let host = Namespace::of_process(machine.id().cast_signed()).ok();
        let mut locator = Locator { host, ..Locator::new(Path::new("/sys/fs/cgroup")) };
        let here = locator.locate(&Location::Netns("/proc/self/ns/net".into()), Instant::now());
        machine.kill().unwrap();
        machine.wait().unwrap();
        assert_eq!(said, "\n", "the conntrack of this kernel cannot be told anything");
        assert_eq!(here.unwrap().keep_alive.open, Duration::from_secs(10));
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
        assert_ne!(moved.namespace.cookie(), netns::own_cookie().unwrap());
    }
}
