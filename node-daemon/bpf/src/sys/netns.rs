//! Network namespaces.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use meshaccel_model::NetnsCookie;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// The path of the namespace that a process is in.
pub fn of_process(pid: i32) -> PathBuf {
    format!("/proc/{pid}/ns/net").into()
}

/// A network namespace, and a way into it that is looked up once. It keeps nothing alive: a namespace whose pod is gone goes when
/// the kernel would let it go without us, with its devices and addresses, which somebody may wait to use again.
#[derive(Clone, Debug)]
pub struct Namespace {
    cookie: NetnsCookie,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    /// A process that was in it. Its number may come to mean another process, this descriptor never does.
    Process(Arc<OwnedFd>, PathBuf),
    /// A file that names it (`ip netns`). Only an open file of it would be better, and would keep it alive.
    File(PathBuf),
}

impl Namespace {
    /// The one that a process is in.
    pub fn of_process(pid: i32) -> io::Result<Self> {
        let process = Arc::new(pidfd_open(pid)?);
        Self::find(Way::Process(process, of_process(pid)))
    }

    /// The one that a file names.
    pub fn at(path: &Path) -> io::Result<Self> {
        Self::find(Way::File(path.to_owned()))
    }

    fn find(way: Way) -> io::Result<Self> {
        let cookie = in_thread(|| {
            way.go()?;
            own_cookie()
        })?;
        Ok(Self { cookie, way })
    }

    /// Its cookie.
    pub fn cookie(&self) -> NetnsCookie {
        self.cookie
    }

    /// For people.
    pub fn display(&self) -> impl std::fmt::Display {
        match &self.way {
            Way::Process(_, path) | Way::File(path) => path.display(),
        }
    }

    /// The process by which it is reached has ended. `None`: it is reached by a file.
    pub fn has_ended(&self) -> Option<bool> {
        match &self.way {
            Way::Process(process, _) => {
                // A pidfd becomes readable when its process ends.
                let mut wanted = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
                Some(!matches!(poll(&mut wanted, PollTimeout::ZERO), Ok(0)))
            }
            Way::File(_) => None,
        }
    }

    /// Runs `body` in a thread that has entered it; the caller stays where it is.
    pub fn enter<T: Send>(&self, body: impl FnOnce() -> T + Send) -> io::Result<T> {
        travel(|traveller| traveller.enter(self).map(|()| body()))?
    }
}

impl Way {
    fn go(&self) -> io::Result<()> {
        match self {
            // Linux 5.8.
            Self::Process(process, _) => setns(process, CloneFlags::CLONE_NEWNET)?,
            Self::File(path) => setns(File::open(path)?, CloneFlags::CLONE_NEWNET)?,
        }
        Ok(())
    }
}

/// A process, whatever its number comes to mean.
pub fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes two numbers.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us (with O_CLOEXEC).
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor as i32) })
}

/// Goes from one network namespace to another.
pub struct Traveller(());

impl Traveller {
    /// To this one. What its way leads to is asked of the kernel after each step: a process may have gone elsewhere, a name may
    /// have been given to another. Then it is an error, and nothing must be done where the thread is now.
    pub fn enter(&self, namespace: &Namespace) -> io::Result<()> {
        namespace.way.go()?;
        if own_cookie()? == namespace.cookie {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::NotFound, "another network namespace is there now"))
    }
}

/// Runs `body` in a thread that begins where the caller is, and may go elsewhere; the caller stays.
pub fn travel<T: Send>(body: impl FnOnce(&Traveller) -> T + Send) -> io::Result<T> {
    in_thread(|| Ok(body(&Traveller(()))))
}

/// Runs `body` in a thread that has a network namespace of its own, which ends with the thread.
pub fn in_new<T: Send>(body: impl FnOnce() -> T + Send) -> io::Result<T> {
    in_thread(move || {
        unshare(CloneFlags::CLONE_NEWNET)?;
        Ok(body())
    })
}

fn in_thread<T: Send>(body: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("netns".into()).spawn_scoped(scope, body)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// These namespaces, reached by a name below /run/netns or a process that is in each. Looks at all processes.
pub fn find(cookies: &BTreeSet<NetnsCookie>) -> BTreeMap<NetnsCookie, Namespace> {
    let (mut found, mut seen) = (BTreeMap::new(), BTreeSet::new());
    let entries = |folder: &str| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let names = entries("/run/netns").map(|path| (None, path));
    let processes = entries("/proc").filter_map(|path| path.file_name()?.to_str()?.parse().ok());
    for (process, path) in names.chain(processes.map(|pid| (Some(pid), of_process(pid)))) {
        if found.len() == cookies.len() {
            break;
        }
        // A process that has just ended, for one.
        let Ok(metadata) = std::fs::metadata(&path) else { continue };
        if !seen.insert(metadata.ino()) {
            continue;
        }
        let namespace = process.map_or_else(|| Namespace::at(&path), Namespace::of_process);
        if let Ok(namespace) = namespace
            && cookies.contains(&namespace.cookie)
        {
            found.insert(namespace.cookie, namespace);
        }
    }
    found
}

/// Cookie of the namespace that the calling thread is in.
pub fn own_cookie() -> io::Result<NetnsCookie> {
    let socket: OwnedFd = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    super::socket::netns_cookie(&socket).map(NetnsCookie)
}

/// Brings `lo` up in the namespace that the calling thread is in.
pub fn loopback_up() -> io::Result<()> {
    let socket: OwnedFd = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: all zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (target, source) in request.ifr_name.iter_mut().zip(b"lo") {
        *target = *source as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the request is a whole ifreq, as this ioctl wants.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_namespace_is_found_where_a_process_is_in_it() {
        let (own, none) = (own_cookie().unwrap(), NetnsCookie(u64::MAX));
        let found = find(&BTreeSet::from([own, none]));
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), [own]);
        assert_eq!(found[&own].enter(own_cookie).unwrap().unwrap(), own);
    }

    /// A process may go where it likes, and its number may be given to another.
    #[test]
    fn a_way_that_leads_elsewhere_by_now_is_not_taken() {
        let mut child = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo; read x; exec unshare --net sh -c 'echo; read x'"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut input, mut output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let namespace = Namespace::of_process(child.id().cast_signed()).unwrap();
        assert_eq!(namespace.enter(own_cookie).unwrap().unwrap(), namespace.cookie());
        assert_eq!(namespace.has_ended(), Some(false));
        input.write_all(b"\n").unwrap();
        output.read_line(&mut line).unwrap();
        let elsewhere = namespace.enter(|| "in another pod's namespace");
        assert_eq!(elsewhere.unwrap_err().kind(), io::ErrorKind::NotFound);
        drop(input);
        child.wait().unwrap();
        assert_eq!(namespace.has_ended(), Some(true));
        assert_eq!(namespace.enter(own_cookie).unwrap_err().raw_os_error(), Some(libc::ESRCH));
    }
}
