//! The Unix socket: root's alone from the moment it is there.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind as bind_to, listen, socket};
use nix::sys::stat::{Mode, fchmod};

/// Binds at `path`, in place of what a daemon that was killed has left there.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match UnixStream::connect(path) {
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AddrInUse, "another daemon listens there")),
        // (Connecting to a file is refused, too.)
        Err(_) if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) => fs::remove_file(path)?,
        Err(_) => {}
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let listener =
        socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    // The file takes the mode of the socket (unix_bind_bsd): there is no moment in which others may connect.
    fchmod(&listener, Mode::from_bits_truncate(0o600))?;
    bind_to(listener.as_raw_fd(), &UnixAddr::new(path)?)?;
    listen(&listener, Backlog::new(64)?)?;
    Ok(listener.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn nobody_else_may_connect() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/admin.sock");
        let _listener = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_a_killed_daemon_left_is_replaced_and_a_running_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        drop(bind(&path).unwrap());
        assert!(path.exists(), "a killed daemon leaves its socket");
        let listener = bind(&path).unwrap();
        assert!(bind(&path).unwrap_err().to_string().contains("another daemon"));
        drop(listener);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "a file of somebody's").unwrap();
        assert!(bind(&path).is_err());
        assert!(path.exists(), "somebody's file was removed");
    }
}
