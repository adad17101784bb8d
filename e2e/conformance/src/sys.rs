//! The system calls that behaviours make, with nothing hidden: raw descriptors, any flags, also what a careful program
//! would never pass (null buffers, addresses of nobody's memory).

use std::mem::{MaybeUninit, size_of, size_of_val};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::ptr::{from_mut, from_ref, null_mut};

use nix::errno::Errno;

/// What a call returned, or errno.
pub type Answer = Result<usize, Errno>;

fn answer(result: impl TryInto<usize>) -> Answer {
    result.try_into().map_err(|_| Errno::last())
}

/// An address that is never mapped.
pub const NOWHERE: usize = 0x10;

pub fn send(fd: RawFd, bytes: &[u8], flags: i32) -> Answer {
    send_at(fd, bytes.as_ptr() as usize, bytes.len(), flags)
}

/// send(2) of whatever is at an address, mapped or not.
pub fn send_at(fd: RawFd, address: usize, size: usize, flags: i32) -> Answer {
    // SAFETY: the kernel only reads, and answers EFAULT for what is not mapped.
    answer(unsafe { libc::send(fd, address as *const _, size, flags) })
}

pub fn receive(fd: RawFd, buffer: &mut [u8], flags: i32) -> Answer {
    // SAFETY: `buffer` is writable for its length.
    answer(unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), flags) })
}

/// recv(2) to memory that cannot be written: null, or an address that is not mapped.
pub fn receive_nowhere(fd: RawFd, address: usize, size: usize, flags: i32) -> Answer {
    assert!(address <= NOWHERE, "somebody's memory");
    // SAFETY: nothing is mapped in the first page, so nothing can be overwritten.
    answer(unsafe { libc::recv(fd, address as *mut _, size, flags) })
}

/// One entry of an iovec: borrowed memory, or an address that is not mapped.
pub fn piece(bytes: &mut [u8]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() }
}

pub fn piece_nowhere(size: usize) -> libc::iovec {
    libc::iovec { iov_base: NOWHERE as *mut _, iov_len: size }
}

/// What recvmsg(2) gave besides bytes.
#[derive(Debug, Default)]
pub struct Extra {
    pub flags: i32,
    /// (level, type, data) of each control message.
    pub control: Vec<(i32, i32, Vec<u8>)>,
}

/// recvmsg(2) into these pieces, with room for `control` bytes of control messages.
pub fn receive_message(fd: RawFd, pieces: &mut [libc::iovec], control: usize, flags: i32) -> (Answer, Extra) {
    let mut room = vec![0u64; control.div_ceil(8)];
    let mut header = header(pieces);
    header.msg_control = if control == 0 { null_mut() } else { room.as_mut_ptr().cast() };
    header.msg_controllen = control;
    // SAFETY: header, pieces and room live through the call; a piece is writable memory or not mapped at all.
    let result = answer(unsafe { libc::recvmsg(fd, &mut header, flags) });
    let mut extra = Extra { flags: header.msg_flags, control: Vec::new() };
    if result.is_ok() && control > 0 {
        // SAFETY: the kernel filled in a well-formed list of control messages inside `room`.
        unsafe {
            let mut entry = libc::CMSG_FIRSTHDR(&header);
            while !entry.is_null() {
                let size = (*entry).cmsg_len - libc::CMSG_LEN(0) as usize;
                let data = std::slice::from_raw_parts(libc::CMSG_DATA(entry), size).to_vec();
                extra.control.push(((*entry).cmsg_level, (*entry).cmsg_type, data));
                entry = libc::CMSG_NXTHDR(&header, entry);
            }
        }
    }
    (result, extra)
}

fn header(pieces: &mut [libc::iovec]) -> libc::msghdr {
    // SAFETY: all zero is a valid msghdr: no name, no pieces, no control.
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_iov = pieces.as_mut_ptr();
    header.msg_iovlen = pieces.len();
    header
}

/// sendmsg(2) of these pieces; `control` is one control message (level, type, data), if any.
pub fn send_message(fd: RawFd, pieces: &mut [libc::iovec], control: Option<(i32, i32, &[u8])>, flags: i32) -> Answer {
    let mut header = header(pieces);
    let mut room = [0u64; 16];
    if let Some((level, kind, data)) = control {
        header.msg_control = room.as_mut_ptr().cast();
        // SAFETY: both only compute sizes; `room` holds 128 bytes, more than any control message here.
        unsafe {
            header.msg_controllen = libc::CMSG_SPACE(data.len() as u32) as usize;
            assert!(header.msg_controllen <= size_of_val(&room));
            let entry = libc::CMSG_FIRSTHDR(&header);
            (*entry).cmsg_level = level;
            (*entry).cmsg_type = kind;
            (*entry).cmsg_len = libc::CMSG_LEN(data.len() as u32) as usize;
            std::ptr::copy_nonoverlapping(data.as_ptr(), libc::CMSG_DATA(entry), data.len());
        }
    }
    // SAFETY: everything lives through the call and is only read.
    answer(unsafe { libc::sendmsg(fd, &header, flags) })
}

/// sendmmsg(2), one message a slice; how many messages went, and how many bytes of each.
pub fn send_messages(fd: RawFd, messages: &mut [Vec<u8>], flags: i32) -> (Answer, Vec<u32>) {
    let mut pieces: Vec<_> = messages.iter_mut().map(|bytes| piece(bytes)).collect();
    let mut headers = many(&mut pieces);
    // SAFETY: headers, pieces and messages live through the call.
    let result = answer(unsafe { libc::sendmmsg(fd, headers.as_mut_ptr(), headers.len() as u32, flags as _) });
    (result, headers.iter().map(|header| header.msg_len).collect())
}

/// recvmmsg(2) into buffers of these sizes; how many messages came, and the bytes of each.
pub fn receive_messages(fd: RawFd, sizes: &[usize], flags: i32) -> (Answer, Vec<Vec<u8>>) {
    let mut buffers: Vec<_> = sizes.iter().map(|&size| vec![0u8; size]).collect();
    let mut pieces: Vec<_> = buffers.iter_mut().map(|bytes| piece(bytes)).collect();
    let mut headers = many(&mut pieces);
    // SAFETY: headers, pieces and buffers live through the call.
    let result =
        answer(unsafe { libc::recvmmsg(fd, headers.as_mut_ptr(), headers.len() as u32, flags as _, null_mut()) });
    let count = result.unwrap_or(0);
    let lengths: Vec<_> = headers.iter().take(count).map(|header| header.msg_len as usize).collect();
    buffers.truncate(count);
    for (buffer, length) in buffers.iter_mut().zip(lengths) {
        buffer.truncate(length);
    }
    (result, buffers)
}

fn many(pieces: &mut [libc::iovec]) -> Vec<libc::mmsghdr> {
    pieces.iter_mut().map(|piece| libc::mmsghdr { msg_hdr: header(std::slice::from_mut(piece)), msg_len: 0 }).collect()
}

pub fn write_vectored(fd: RawFd, pieces: &[libc::iovec]) -> Answer {
    // SAFETY: the kernel only reads the pieces, and answers EFAULT for what is not mapped.
    answer(unsafe { libc::writev(fd, pieces.as_ptr(), pieces.len() as i32) })
}

pub fn read_vectored(fd: RawFd, pieces: &[libc::iovec]) -> Answer {
    // SAFETY: a piece is writable memory or not mapped at all.
    answer(unsafe { libc::readv(fd, pieces.as_ptr(), pieces.len() as i32) })
}

pub fn read(fd: RawFd, buffer: &mut [u8]) -> Answer {
    // SAFETY: `buffer` is writable for its length.
    answer(unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) })
}

pub fn write(fd: RawFd, bytes: &[u8]) -> Answer {
    // SAFETY: `bytes` is readable for its length.
    answer(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) })
}

/// splice(2) without offsets.
pub fn splice(from: RawFd, to: RawFd, size: usize, flags: u32) -> Answer {
    // SAFETY: no memory is passed.
    answer(unsafe { libc::splice(from, null_mut(), to, null_mut(), size, flags) })
}

/// sendfile(2), from `offset` or from where the file stands.
pub fn send_file(to: RawFd, from: RawFd, offset: Option<&mut i64>, size: usize) -> Answer {
    // SAFETY: the offset, if any, lives through the call.
    answer(unsafe { libc::sendfile(to, from, offset.map_or(null_mut(), from_mut), size) })
}

pub fn set<T: Copy>(fd: RawFd, level: i32, option: i32, value: &T) -> Answer {
    // SAFETY: `value` is readable for its size.
    answer(unsafe { libc::setsockopt(fd, level, option, from_ref(value).cast(), size_of::<T>() as libc::socklen_t) })
}

/// getsockopt(2) into a value, and how many bytes of it were filled.
pub fn get<T: Copy>(fd: RawFd, level: i32, option: i32, mut value: T) -> Result<(T, usize), Errno> {
    let mut size = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` is plain data and writable for `size` bytes.
    answer(unsafe { libc::getsockopt(fd, level, option, from_mut(&mut value).cast(), &mut size) })?;
    Ok((value, size as usize))
}

/// ioctl(2) that answers with a number.
pub fn ask(fd: RawFd, request: libc::c_ulong) -> Result<i32, Errno> {
    let mut value = -1i32;
    // SAFETY: every request used here writes one int.
    answer(unsafe { libc::ioctl(fd, request, &mut value) })?;
    Ok(value)
}

/// ioctl(2) that is told a number.
pub fn tell(fd: RawFd, request: libc::c_ulong, value: i32) -> Answer {
    // SAFETY: every request used here reads one int.
    answer(unsafe { libc::ioctl(fd, request, &value) })
}

pub fn shut_down(fd: RawFd, how: i32) -> Answer {
    // SAFETY: no memory is passed.
    answer(unsafe { libc::shutdown(fd, how) })
}

/// fcntl(2) with a number.
pub fn control(fd: RawFd, command: i32, value: i32) -> Answer {
    // SAFETY: every command used here takes a number.
    answer(unsafe { libc::fcntl(fd, command, value) })
}

pub fn duplicate(fd: RawFd) -> Result<OwnedFd, Errno> {
    let copy = control(fd, libc::F_DUPFD_CLOEXEC, 0)?;
    // SAFETY: the descriptor was just made and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy as RawFd) })
}

/// poll(2) on one descriptor; the events that came, 0 when time ran out.
pub fn poll(fd: RawFd, events: i16, milliseconds: i32) -> Result<i16, Errno> {
    let mut entry = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: one entry is passed and one exists.
    answer(unsafe { libc::poll(&mut entry, 1, milliseconds) })?;
    Ok(entry.revents)
}

/// connect(2) to an IPv4 address, or to one of no family.
pub fn connect(fd: RawFd, address: &libc::sockaddr_in) -> Answer {
    // SAFETY: the address is readable for its size.
    answer(unsafe { libc::connect(fd, from_ref(address).cast(), size_of_val(address) as libc::socklen_t) })
}

pub fn bind(fd: RawFd, address: &libc::sockaddr_in) -> Answer {
    // SAFETY: the address is readable for its size.
    answer(unsafe { libc::bind(fd, from_ref(address).cast(), size_of_val(address) as libc::socklen_t) })
}

pub fn listen(fd: RawFd) -> Answer {
    // SAFETY: no memory is passed.
    answer(unsafe { libc::listen(fd, 1) })
}

/// accept(2) without asking who it is.
pub fn accept(fd: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: no memory is passed.
    let new = answer(unsafe { libc::accept4(fd, null_mut(), null_mut(), libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) })?;
    // SAFETY: the descriptor was just made and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(new as RawFd) })
}

/// poll(2) on several descriptors.
pub fn poll_many(entries: &mut [libc::pollfd], milliseconds: i32) -> Answer {
    // SAFETY: as many entries as there are.
    answer(unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, milliseconds) })
}

/// select(2) that does not wait: readable, writable, exceptional.
pub fn select(fd: RawFd) -> Result<[bool; 3], Errno> {
    assert!((0..libc::FD_SETSIZE as RawFd).contains(&fd), "too large for select(2)");
    // SAFETY: all zero is an empty set; the descriptor fits into it.
    unsafe {
        let mut sets: [libc::fd_set; 3] = MaybeUninit::zeroed().assume_init();
        let mut no_time = libc::timeval { tv_sec: 0, tv_usec: 0 };
        for set in &mut sets {
            libc::FD_SET(fd, set);
        }
        let [read, write, exceptional] = &mut sets;
        answer(libc::select(fd + 1, read, write, exceptional, &mut no_time))?;
        Ok(sets.map(|set| libc::FD_ISSET(fd, &set)))
    }
}

/// sendto(2) with an address that is not the peer's.
pub fn send_to(fd: RawFd, bytes: &[u8]) -> Answer {
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: 9u16.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_be_bytes([127, 9, 9, 9]).to_be() },
        sin_zero: [0; 8],
    };
    let size = size_of_val(&address) as libc::socklen_t;
    // SAFETY: bytes and address are readable for their sizes.
    answer(unsafe { libc::sendto(fd, bytes.as_ptr().cast(), bytes.len(), 0, from_ref(&address).cast(), size) })
}

/// recvfrom(2) of up to 16 bytes, and the size of the address that came with them.
pub fn receive_from(fd: RawFd) -> (Answer, u32) {
    let mut buffer = [0u8; 16];
    let mut address = [0u8; 64];
    let mut size = address.len() as libc::socklen_t;
    // SAFETY: buffer and address are writable for their sizes.
    let result = answer(unsafe {
        libc::recvfrom(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0, address.as_mut_ptr().cast(), &mut size)
    });
    (result, size)
}

/// A signal to one thread of this process.
pub fn signal_thread(thread: i32, signal: i32) -> Answer {
    // SAFETY: no memory is passed.
    answer(unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal) })
}

/// Memory mapped from a socket.
#[derive(Debug)]
pub struct Mapping {
    address: *mut libc::c_void,
    size: usize,
}

impl Mapping {
    pub fn address(&self) -> usize {
        self.address as usize
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing points into it.
        unsafe { libc::munmap(self.address, self.size) };
    }
}

/// mmap(2) of a descriptor, shared.
pub fn map(fd: RawFd, size: usize, protection: i32) -> Result<Mapping, Errno> {
    // SAFETY: the kernel chooses a free address.
    let address = unsafe { libc::mmap(null_mut(), size, protection, libc::MAP_SHARED, fd, 0) };
    if address == libc::MAP_FAILED { Err(Errno::last()) } else { Ok(Mapping { address, size }) }
}
