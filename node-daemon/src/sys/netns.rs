//! Network namespaces.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use serde::Serialize;

/// Cookie of a network namespace: unique for the life of the machine, never used again (`SO_NETNS_COOKIE`, Linux 5.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct NetnsCookie(pub u64);

/// The path of the namespace that a process is in.
pub fn of_process(pid: i32) -> PathBuf {
    format!("/proc/{pid}/ns/net").into()
}

/// Runs `body` in a thread that has entered the namespace; the caller stays where it is.
pub fn enter<T: Send>(path: &Path, body: impl FnOnce() -> T + Send) -> io::Result<T> {
    travel(|traveller| traveller.enter(path).map(|()| body()))?
}

/// Goes from one network namespace to another.
pub struct Traveller(());

impl Traveller {
    /// To the one at `path`.
    pub fn enter(&self, path: &Path) -> io::Result<()> {
        Ok(setns(File::open(path)?, CloneFlags::CLONE_NEWNET)?)
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

/// Cookie of the namespace at `path`.
pub fn cookie_at(path: &Path) -> io::Result<NetnsCookie> {
    enter(path, own_cookie)?
}

/// Where these namespaces are: a process that is in each, or a mount below /run/netns. Looks at all processes.
pub fn find(cookies: &BTreeSet<NetnsCookie>) -> BTreeMap<NetnsCookie, PathBuf> {
    let (mut found, mut seen) = (BTreeMap::new(), BTreeSet::new());
    let entries = |folder: &str| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let processes = entries("/proc")
        .filter(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit)));
    for path in entries("/run/netns").chain(processes.map(|process| process.join("ns/net"))) {
        if found.len() == cookies.len() {
            break;
        }
        // A process that has just ended, for one.
        let Ok(metadata) = std::fs::metadata(&path) else { continue };
        if !seen.insert(metadata.ino()) {
            continue;
        }
        if let Ok(cookie) = cookie_at(&path)
            && cookies.contains(&cookie)
        {
            found.insert(cookie, path);
        }
    }
    found
}

/// Cookie of the namespace that the calling thread is in.
pub fn own_cookie() -> io::Result<NetnsCookie> {
    let socket: OwnedFd = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    const SO_NETNS_COOKIE: libc::c_int = 71;
    let (mut cookie, mut length) = (0u64, size_of::<u64>() as libc::socklen_t);
    // SAFETY: the kernel writes at most `length` bytes to `cookie`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(NetnsCookie(cookie)) }
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
    use super::*;

    #[test]
    fn a_namespace_is_found_where_a_process_is_in_it() {
        let (own, none) = (own_cookie().unwrap(), NetnsCookie(u64::MAX));
        let found = find(&BTreeSet::from([own, none]));
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), [own]);
        assert_eq!(cookie_at(&found[&own]).unwrap(), own);
    }
}
