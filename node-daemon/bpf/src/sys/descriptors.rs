//! Sockets of other processes.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::netns::{of_process, pidfd_open};
use super::socket;

/// Finds the sockets with these cookies among those that processes have open: first those of the calling thread's network
/// namespace, then all others (a proxy of the node may have sockets in the namespaces of its pods). One that several processes
/// have comes once.
pub fn find(mut cookies: BTreeSet<u64>, mut found: impl FnMut(OwnedFd)) -> io::Result<()> {
    let here = fs::metadata("/proc/thread-self/ns/net")?.ino();
    let numbers = fs::read_dir("/proc")?.flatten().filter_map(|entry| number(&entry));
    // One that has just ended is nowhere.
    let is_here = |pid: i32| fs::metadata(of_process(pid)).is_ok_and(|metadata| metadata.ino() == here);
    let (near, far): (Vec<_>, Vec<_>) = numbers.partition(|pid| is_here(*pid));
    for pid in near.into_iter().chain(far) {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd"));
        let (Ok(process), Ok(descriptors)) = (pidfd_open(pid), descriptors) else { continue };
        for descriptor in descriptors.flatten().filter(|one| is_socket(&one.path())) {
            if cookies.is_empty() {
                return Ok(());
            }
            let taken = number(&descriptor).and_then(|number| take(process.as_fd(), number).ok());
            if let Some(taken) = taken
                && socket::cookie(&taken).is_ok_and(|cookie| cookies.remove(&cookie))
            {
                found(taken);
            }
        }
    }
    Ok(())
}

fn number(entry: &fs::DirEntry) -> Option<i32> {
    entry.file_name().to_str()?.parse().ok()
}

fn is_socket(descriptor: &Path) -> bool {
    fs::read_link(descriptor).is_ok_and(|to| to.as_os_str().as_encoded_bytes().starts_with(b"socket:"))
}

/// A descriptor of another process (pidfd_getfd(2), Linux 5.6).
fn take(process: BorrowedFd<'_>, descriptor: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes three numbers.
    let taken = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), descriptor, 0) };
    if taken < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us (with O_CLOEXEC).
    Ok(unsafe { OwnedFd::from_raw_fd(taken as i32) })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_socket_is_found_by_its_cookie_and_comes_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _again = client.try_clone().unwrap();
        let cookie = socket::cookie(&client).unwrap();
        let mut found = Vec::new();
        find(BTreeSet::from([cookie, u64::MAX]), |taken| found.push(TcpStream::from(taken))).unwrap();
        let [found] = &found[..] else { panic!("{found:?}") };
        assert_eq!(found.local_addr().unwrap(), client.local_addr().unwrap());
    }
}
