//! What std does not tell about a socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Bytes that FIONREAD reports as readable.
pub fn readable_bytes(socket: impl AsFd) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(usize::try_from(bytes).unwrap_or(0)) }
}

/// `sk_rmem_alloc` (SO_MEMINFO, Linux 4.12): memory that counts as received and unread.
pub fn receive_memory(socket: impl AsFd) -> io::Result<u32> {
    const SO_MEMINFO: libc::c_int = 55;
    const SK_MEMINFO_RMEM_ALLOC: usize = 0;
    let mut values = [0u32; 16];
    get(socket, SO_MEMINFO, &mut values)?;
    Ok(values[SK_MEMINFO_RMEM_ALLOC])
}

/// Its cookie (SO_COOKIE, Linux 4.12).
pub fn cookie(socket: impl AsFd) -> io::Result<u64> {
    let mut cookie = 0u64;
    get(socket, libc::SO_COOKIE, &mut cookie).map(|()| cookie)
}

/// Of its network namespace (SO_NETNS_COOKIE, Linux 5.14).
pub fn netns_cookie(socket: impl AsFd) -> io::Result<u64> {
    const SO_NETNS_COOKIE: libc::c_int = 71;
    let mut cookie = 0u64;
    get(socket, SO_NETNS_COOKIE, &mut cookie).map(|()| cookie)
}

/// Wakes whoever waits for bytes of a TCP socket that has some, by setting SO_RCVLOWAT to what it is.
pub fn wake_reader(socket: impl AsFd) -> io::Result<()> {
    let mut low_water: libc::c_int = 1;
    get(&socket, libc::SO_RCVLOWAT, &mut low_water)?;
    // SAFETY: the kernel reads one int.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVLOWAT,
            (&raw const low_water).cast(),
            size_of_val(&low_water) as libc::socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// An option of the level SOL_SOCKET.
fn get<T: bytemuck::Pod>(socket: impl AsFd, option: libc::c_int, value: &mut T) -> io::Result<()> {
    let mut length = size_of::<T>() as libc::socklen_t;
    let value = std::ptr::from_mut(value).cast();
    // SAFETY: the kernel writes at most `length` bytes, and any are a value.
    let result =
        unsafe { libc::getsockopt(socket.as_fd().as_raw_fd(), libc::SOL_SOCKET, option, value, &raw mut length) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
