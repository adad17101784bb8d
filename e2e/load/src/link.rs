//! Non-blocking sockets of the load: TCP or Unix, the same code on top. Only connections with O_NONBLOCK descriptors are
//! promoted, as those of every sidecar and event loop are.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use meshaccel_e2e_harness::traffic::socket;

use super::pattern::Address;

/// No answer for so long is a failure: the machine may be busy, but not that busy.
pub const PATIENCE_MS: i32 = 10_000;

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    pub fn new(address: &Address) -> io::Result<Self> {
        Ok(match address {
            Address::Tcp(address) => {
                let listener = socket::listen(*address, socket::Options::default())?;
                listener.set_nonblocking(true)?;
                Self::Tcp(listener)
            }
            Address::Unix(path) => {
                // An earlier window's.
                let _ = std::fs::remove_file(path);
                let listener = UnixListener::bind(path)?;
                listener.set_nonblocking(true)?;
                Self::Unix(listener)
            }
        })
    }

    /// A connection that waits, if one does.
    pub fn accept(&self) -> io::Result<Option<File>> {
        // accept4(2) makes it non-blocking in the same call, as event loops do.
        // SAFETY: no address is asked for.
        let fd = unsafe {
            libc::accept4(
                self.as_fd().as_raw_fd(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC,
            )
        };
        if fd < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == ErrorKind::WouldBlock { Ok(None) } else { Err(error) };
        }
        // SAFETY: the kernel just made this descriptor for us.
        let stream = unsafe { OwnedFd::from_raw_fd(fd) };
        if matches!(self, Self::Tcp(_)) {
            socket::set(&stream, libc::IPPROTO_TCP, libc::TCP_NODELAY, &1i32)?;
        }
        Ok(Some(stream.into()))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

/// A connection to the server.
pub fn connect(address: &Address) -> io::Result<File> {
    let stream: OwnedFd = match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            stream.into()
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_nonblocking(true)?;
            stream.into()
        }
    };
    Ok(stream.into())
}

/// What a non-blocking call did; `None` when it would have to wait.
pub fn unless_it_waits(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(length) => Ok(Some(length)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Waits with poll(2) until the socket is ready for `events`.
pub fn wait(stream: &File, events: i16) -> io::Result<()> {
    let mut entry = libc::pollfd { fd: stream.as_raw_fd(), events, revents: 0 };
    // SAFETY: one entry is passed and one exists.
    match unsafe { libc::poll(&mut entry, 1, PATIENCE_MS) } {
        0 => Err(ErrorKind::TimedOut.into()),
        n if n < 0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
