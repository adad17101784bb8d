//! Sockets of every family and the options that tests turn. Streams are std's; what std cannot ask is asked here.

use std::io;
use std::mem::size_of_val;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrStorage};

use super::patience;

/// Which kind of socket, and which kind of address inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
    /// An IPv6 socket that carries IPv4: what Go, Java and Envoy with `::` listeners use.
    Mapped,
}

impl Family {
    pub const ALL: [Self; 3] = [Self::V4, Self::V6, Self::Mapped];

    /// This machine's loopback address in this family.
    pub fn loopback(self, port: u16) -> SocketAddr {
        match self {
            Self::V4 => (Ipv4Addr::LOCALHOST, port).into(),
            Self::V6 => (Ipv6Addr::LOCALHOST, port).into(),
            Self::Mapped => (Ipv4Addr::LOCALHOST.to_ipv6_mapped(), port).into(),
        }
    }
}

/// What a socket is told before it listens or connects.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// SO_RCVBUF as given to the kernel (which doubles it); accepted sockets inherit it.
    pub receive_buffer: Option<usize>,
    /// SO_SNDBUF likewise.
    pub send_buffer: Option<usize>,
    /// TCP_DEFER_ACCEPT: accept only what has sent something.
    pub defer_accept: bool,
    /// Descriptors without O_NONBLOCK, at both ends. Event loops, and so all sidecars, have it.
    pub blocking: bool,
}

/// A socket that listens on `address` (port 0: any).
pub fn listen(address: SocketAddr, options: Options) -> io::Result<TcpListener> {
    let socket = create(address, options)?;
    set(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, &1i32)?;
    if options.defer_accept {
        set(&socket, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, &30i32)?;
    }
    socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    socket::listen(&socket, socket::Backlog::MAXCONN)?;
    Ok(socket.into())
}

/// A connection from `local` (or from anywhere) to `remote`.
pub fn connect(local: Option<SocketAddr>, remote: SocketAddr, options: Options) -> io::Result<TcpStream> {
    let socket = create(remote, options)?;
    if let Some(local) = local {
        set(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, &1i32)?;
        socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(local))?;
    }
    socket::connect(socket.as_raw_fd(), &SockaddrStorage::from(remote))?;
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(!options.blocking)?;
    Ok(stream)
}

/// A blocking socket on its way to `remote`: the handshake has begun and is not waited for.
pub fn begin_connect(remote: SocketAddr) -> io::Result<TcpStream> {
    let stream: TcpStream = create(remote, Options::default())?.into();
    stream.set_nonblocking(true)?;
    match socket::connect(stream.as_raw_fd(), &SockaddrStorage::from(remote)) {
        Ok(()) | Err(nix::errno::Errno::EINPROGRESS) => stream.set_nonblocking(false)?,
        Err(error) => return Err(error.into()),
    }
    Ok(stream)
}

/// A socket that is told to connect and not waited for: `body` gets it before it is told.
pub fn connect_in_the_background(remote: SocketAddr, body: impl FnOnce(&TcpStream) + Send) -> io::Result<TcpStream> {
    let stream: TcpStream = create(remote, Options::default())?.into();
    stream.set_nonblocking(true)?;
    std::thread::scope(|scope| {
        scope.spawn(|| body(&stream));
        match socket::connect(stream.as_raw_fd(), &SockaddrStorage::from(remote)) {
            Ok(()) | Err(nix::errno::Errno::EINPROGRESS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    })
    .map(|()| stream)
}

/// Accepts one connection; gives up after the engine's patience.
pub fn accept(listener: &TcpListener, options: Options) -> io::Result<TcpStream> {
    let (stream, _) = listener.accept()?;
    be_patient(&stream)?;
    stream.set_nonblocking(!options.blocking)?;
    Ok(stream)
}

fn create(address: SocketAddr, options: Options) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket::socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    if let Some(bytes) = options.receive_buffer {
        set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, &(bytes as i32))?;
    }
    if let Some(bytes) = options.send_buffer {
        set(&socket, libc::SOL_SOCKET, libc::SO_SNDBUF, &(bytes as i32))?;
    }
    be_patient(&socket)?;
    Ok(socket)
}

/// Bounds every blocking call: a lost wake-up must end as a fault, not as a hung test.
fn be_patient(socket: &impl AsFd) -> io::Result<()> {
    let limit = libc::timeval { tv_sec: patience().as_secs() as libc::time_t, tv_usec: 0 };
    set(socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &limit)?;
    set(socket, libc::SOL_SOCKET, libc::SO_SNDTIMEO, &limit)
}

/// SO_COOKIE: what the programs know a socket by.
pub fn cookie(socket: &impl AsFd) -> io::Result<u64> {
    get(socket, libc::SOL_SOCKET, libc::SO_COOKIE).map(u64::from_ne_bytes)
}

/// getsockopt(2): the first bytes of what the kernel says.
fn get<const SIZE: usize>(socket: &impl AsFd, level: i32, option: i32) -> io::Result<[u8; SIZE]> {
    let (mut value, mut size) = ([0; SIZE], SIZE as libc::socklen_t);
    // SAFETY: `value` is writable for `size` bytes; the kernel cuts what is longer.
    let result = unsafe {
        libc::getsockopt(socket.as_fd().as_raw_fd(), level, option, value.as_mut_ptr().cast(), &raw mut size)
    };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

/// setsockopt(2) of a plain C value.
pub fn set<T: Copy>(socket: &impl AsFd, level: i32, option: i32, value: &T) -> io::Result<()> {
    let size = size_of_val(value) as libc::socklen_t;
    // SAFETY: `value` is readable for `size` bytes and the kernel only copies from it.
    let result =
        unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, option, std::ptr::from_ref(value).cast(), size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// TCP_FIN_WAIT2: shut down, and the other end has acknowledged it.
pub const FIN_WAIT2: u8 = 5;

/// State of the connection, from TCP_INFO.
pub fn tcp_state(stream: &TcpStream) -> io::Result<u8> {
    Ok(tcp_info(stream)?[0])
}

/// tcpi_data_segs_out: segments with data that were sent, each again that was sent again.
pub fn data_segments_sent(stream: &TcpStream) -> io::Result<u32> {
    let [.., a, b, c, d] = tcp_info(stream)?;
    Ok(u32::from_ne_bytes([a, b, c, d]))
}

/// tcpi_unacked: segments that were sent and are not acknowledged.
pub fn unacknowledged(stream: &TcpStream) -> io::Result<u32> {
    let info = tcp_info(stream)?;
    Ok(u32::from_ne_bytes([info[24], info[25], info[26], info[27]]))
}

/// `struct tcp_info` up to tcpi_data_segs_out (Linux 4.6).
fn tcp_info(stream: &TcpStream) -> io::Result<[u8; 160]> {
    get(stream, libc::IPPROTO_TCP, libc::TCP_INFO)
}

/// Closes with an RST: unread and unsent data is thrown away, as by a crashing process with SO_LINGER 0.
pub fn reset(stream: TcpStream) -> io::Result<()> {
    set(&stream, libc::SOL_SOCKET, libc::SO_LINGER, &libc::linger { l_onoff: 1, l_linger: 0 })
}

/// Takes the socket away without a word to the other end (TCP_REPAIR): what a lost node or a dropped FIN leaves.
pub fn vanish(stream: TcpStream) -> io::Result<()> {
    set(&stream, libc::IPPROTO_TCP, libc::TCP_REPAIR, &1i32)
}

/// An address as both families show it: ::ffff:127.0.0.1 and 127.0.0.1 are one place.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    (
        match address.ip() {
            IpAddr::V6(ip) => ip.to_canonical(),
            ip => ip,
        },
        address.port(),
    )
        .into()
}

/// recv(2) with flags.
pub fn receive(stream: &TcpStream, buffer: &mut [u8], flags: i32) -> io::Result<usize> {
    // SAFETY: `buffer` is writable for its length.
    let n = unsafe { libc::recv(stream.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), flags) };
    usize::try_from(n).map_err(|_| io::Error::last_os_error())
}

/// send(2) with flags; never raises SIGPIPE.
pub fn send(stream: &TcpStream, bytes: &[u8], flags: i32) -> io::Result<usize> {
    // SAFETY: `bytes` is readable for its length.
    let n = unsafe { libc::send(stream.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags | libc::MSG_NOSIGNAL) };
    usize::try_from(n).map_err(|_| io::Error::last_os_error())
}

/// Does the descriptor lack O_NONBLOCK?
pub fn is_blocking(stream: &TcpStream) -> io::Result<bool> {
    let flags = fcntl(stream, FcntlArg::F_GETFL)?;
    Ok(!OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK))
}

/// Makes `call` until it is not refused: a blocking descriptor waits inside the call, for a non-blocking one poll(2)
/// waits after EAGAIN, as long as the engine is patient.
pub fn patiently<T>(stream: &TcpStream, events: i16, mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !is_blocking(stream)? => {
                if poll(stream, events, patience().as_millis() as i32)? == 0 {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            result => return result,
        }
    }
}

/// An epoll set. `key` of [`Epoll::add`] comes back with each event.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Epoll {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointer is passed.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and nobody else knows it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    pub fn add(&self, fd: BorrowedFd, events: i32, key: usize) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, events, key)
    }

    pub fn change(&self, fd: BorrowedFd, events: i32, key: usize) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, events, key)
    }

    pub fn remove(&self, fd: BorrowedFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    fn control(&self, operation: i32, fd: BorrowedFd, events: i32, key: usize) -> io::Result<()> {
        let mut event = libc::epoll_event { events: events as u32, u64: key as u64 };
        // SAFETY: `event` lives through the call.
        let result = unsafe { libc::epoll_ctl(self.0.as_raw_fd(), operation, fd.as_raw_fd(), &mut event) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Waits up to `milliseconds` (-1: for ever); the events as (key, flags), none when time ran out.
    pub fn wait(&self, milliseconds: i32) -> io::Result<Vec<(usize, i32)>> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 256];
        let n = self.wait_into(&mut events, milliseconds)?;
        Ok(events[..n].iter().map(|event| (event.u64 as usize, event.events as i32)).collect())
    }

    /// [`Self::wait`] without making anything: how many of `events` are filled.
    pub fn wait_into(&self, events: &mut [libc::epoll_event], milliseconds: i32) -> io::Result<usize> {
        let room = events.len() as i32;
        // SAFETY: `events` has room for as many entries as are asked for.
        let n = unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), room, milliseconds) };
        usize::try_from(n).map_err(|_| io::Error::last_os_error())
    }
}

/// poll(2) on one socket; the events that came, 0 when time ran out.
pub fn poll(stream: &TcpStream, events: i16, milliseconds: i32) -> io::Result<i16> {
    let mut entry = libc::pollfd { fd: stream.as_raw_fd(), events, revents: 0 };
    // SAFETY: one entry is passed and one exists.
    let n = unsafe { libc::poll(&mut entry, 1, milliseconds) };
    if n < 0 { Err(io::Error::last_os_error()) } else { Ok(entry.revents) }
}
