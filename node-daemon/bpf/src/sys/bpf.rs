//! bpf(2) where aya 0.14 does not reach: running a program once, reading many entries at once, link updates, attaching
//! without a guard that detaches, pins of anything.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bytemuck::Pod;

const MAP_CREATE: u32 = 0;
const MAP_LOOKUP_ELEM: u32 = 1;
const MAP_UPDATE_ELEM: u32 = 2;
const MAP_DELETE_ELEM: u32 = 3;
const PROG_LOAD: u32 = 5;
const OBJ_PIN: u32 = 6;
const OBJ_GET: u32 = 7;
const PROG_ATTACH: u32 = 8;
const PROG_TEST_RUN: u32 = 10;
const PROG_GET_NEXT_ID: u32 = 11;
const PROG_GET_FD_BY_ID: u32 = 13;
const OBJ_GET_INFO_BY_FD: u32 = 15;
const RAW_TRACEPOINT_OPEN: u32 = 17;
const MAP_LOOKUP_BATCH: u32 = 24;
const LINK_CREATE: u32 = 28;
const LINK_UPDATE: u32 = 29;
const ITER_CREATE: u32 = 33;

/// `enum bpf_attach_type`
const SK_MSG_VERDICT: u32 = 7;
const PERF_EVENT: u32 = 41;
const TRACE_ITER: u32 = 28;

/// A zeroed `union bpf_attr`, filled in word by word. 128 bytes cover every command used here; the kernel takes a
/// longer one as long as the rest is zero.
#[repr(C, align(8))]
struct Attributes([u32; 32]);

impl Attributes {
    fn new(words: &[(usize, u32)]) -> Self {
        let mut attributes = Self([0; 32]);
        for &(index, value) in words {
            attributes.0[index] = value;
        }
        attributes
    }

    /// A 64-bit field (a pointer) that starts at word `index`.
    fn with_pointer<T: ?Sized>(mut self, index: usize, pointer: *const T) -> Self {
        let address = pointer.cast::<u8>() as u64;
        (self.0[index], self.0[index + 1]) = (address as u32, (address >> 32) as u32);
        self
    }

    /// Some commands write into the attributes.
    fn call(&mut self, command: u32) -> io::Result<i32> {
        // SAFETY: the attributes live through the call, and every pointer in them was made from a reference that does.
        let result = unsafe { libc::syscall(libc::SYS_bpf, command, self.0.as_mut_ptr(), size_of::<Self>()) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
    }

    fn call_for_descriptor(&mut self, command: u32) -> io::Result<OwnedFd> {
        let descriptor = self.call(command)?;
        // SAFETY: the kernel just made this descriptor for us (with O_CLOEXEC).
        Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
    }
}

fn number(descriptor: BorrowedFd<'_>) -> u32 {
    descriptor.as_raw_fd() as u32
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

/// Links an iterator program.
pub fn link_iterator(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    Attributes::new(&[(0, number(program)), (2, TRACE_ITER)]).call_for_descriptor(LINK_CREATE)
}

/// Links an iterator program that goes over a map.
pub fn link_iterator_over(program: BorrowedFd<'_>, map: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // `union bpf_iter_link_info`
    let which = [number(map), 0, 0, 0];
    Attributes::new(&[(0, number(program)), (2, TRACE_ITER), (6, size_of_val(&which) as u32)])
        .with_pointer(4, which.as_ptr())
        .call_for_descriptor(LINK_CREATE)
}

/// Where a program of a cgroup is attached: `enum bpf_attach_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupHook {
    /// `BPF_CGROUP_SOCK_OPS`
    SocketOps = 3,
    /// `BPF_CGROUP_INET4_CONNECT`, Linux 4.17
    Connect4 = 10,
    /// `BPF_CGROUP_INET6_CONNECT`, Linux 4.17
    Connect6 = 11,
    /// `BPF_CGROUP_UDP4_SENDMSG`, Linux 4.18
    SendMessage4 = 14,
    /// `BPF_CGROUP_UDP6_SENDMSG`, Linux 4.18
    SendMessage6 = 15,
    /// `BPF_CGROUP_UDP4_RECVMSG`, Linux 5.2
    ReceiveMessage4 = 19,
    /// `BPF_CGROUP_UDP6_RECVMSG`, Linux 5.2
    ReceiveMessage6 = 20,
    /// `BPF_CGROUP_INET4_GETPEERNAME`, Linux 5.8
    PeerName4 = 29,
    /// `BPF_CGROUP_INET6_GETPEERNAME`, Linux 5.8
    PeerName6 = 30,
    /// `BPF_CGROUP_INET_SOCK_RELEASE`, Linux 5.9
    SocketRelease = 34,
}

/// Links a program to a cgroup. A link never disturbs programs that others have there.
pub fn link_cgroup(program: BorrowedFd<'_>, cgroup: BorrowedFd<'_>, hook: CgroupHook) -> io::Result<OwnedFd> {
    Attributes::new(&[(0, number(program)), (1, number(cgroup)), (2, hook as u32)]).call_for_descriptor(LINK_CREATE)
}

/// Links a program to a tracepoint (a perf event of it).
pub fn link_tracepoint(program: BorrowedFd<'_>, event: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    Attributes::new(&[(0, number(program)), (1, number(event)), (2, PERF_EVENT)]).call_for_descriptor(LINK_CREATE)
}

/// Links a program to the entry of the kernel function that it was loaded for (fentry).
pub fn link_entry(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // No name: the function is the program's. BPF_LINK_CREATE does the same, from Linux 5.18 on only.
    Attributes::new(&[(2, number(program))]).call_for_descriptor(RAW_TRACEPOINT_OPEN)
}

/// Puts another program behind a link, with no moment in which none runs.
pub fn update_link(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    Attributes::new(&[(0, number(link)), (1, number(program))]).call(LINK_UPDATE).map(drop)
}

/// Attaches an sk_msg program to a SOCKHASH, in place of the one that is there.
pub fn attach_sk_msg(program: BorrowedFd<'_>, map: BorrowedFd<'_>) -> io::Result<()> {
    Attributes::new(&[(0, number(map)), (1, number(program)), (2, SK_MSG_VERDICT)]).call(PROG_ATTACH).map(drop)
}

/// Starts one run of a linked iterator; reading the file runs it.
pub fn iterate(link: BorrowedFd<'_>) -> io::Result<File> {
    Attributes::new(&[(0, number(link))]).call_for_descriptor(ITER_CREATE).map(File::from)
}

/// Runs a classifier once, in the network namespace of the calling thread, with these words in its context's `cb`: what it
/// returns.
pub fn run_classifier(program: BorrowedFd<'_>, words: [u32; 5]) -> io::Result<u32> {
    /// `struct __sk_buff` up to its `cb`. All else must be zero.
    #[repr(C)]
    struct Context {
        before: [u32; 12],
        cb: [u32; 5],
    }
    // It looks at no packet, but there must be one.
    let packet = [0u8; 64];
    let context = Context { before: [0; 12], cb: words };
    let mut attributes =
        Attributes::new(&[(0, number(program)), (2, size_of_val(&packet) as u32), (10, size_of::<Context>() as u32)])
            .with_pointer(4, packet.as_ptr())
            .with_pointer(12, &raw const context);
    attributes.call(PROG_TEST_RUN)?;
    Ok(attributes.0[1])
}

/// Makes an array that holds one number.
pub fn number_map(name: &str, value: u64) -> io::Result<OwnedFd> {
    const ARRAY: u32 = 2;
    let mut attributes =
        Attributes::new(&[(0, ARRAY), (1, size_of::<u32>() as u32), (2, size_of::<u64>() as u32), (3, 1)]);
    // At most 15 bytes, and a zero.
    for (index, byte) in name.bytes().take(15).enumerate() {
        attributes.0[7 + index / 4] |= u32::from(byte) << (8 * (index % 4));
    }
    let map = attributes.call_for_descriptor(MAP_CREATE)?;
    update(map.as_fd(), &0u32, &value)?;
    Ok(map)
}

/// Reads one entry of a map.
pub fn lookup<K: Pod, V: Pod>(map: BorrowedFd<'_>, key: &K) -> io::Result<V> {
    let mut value = V::zeroed();
    Attributes::new(&[(0, number(map))])
        .with_pointer(2, key)
        .with_pointer(4, &raw mut value)
        .call(MAP_LOOKUP_ELEM)
        .map(|_| value)
}

/// Writes one entry of a map.
pub fn update<K: Pod, V: Pod>(map: BorrowedFd<'_>, key: &K, value: &V) -> io::Result<()> {
    Attributes::new(&[(0, number(map))]).with_pointer(2, key).with_pointer(4, value).call(MAP_UPDATE_ELEM).map(drop)
}

/// Removes an entry of a map; none is fine. Was there one?
pub fn delete<K: Pod>(map: BorrowedFd<'_>, key: &K) -> bool {
    Attributes::new(&[(0, number(map))]).with_pointer(2, key).call(MAP_DELETE_ELEM).is_ok()
}

/// Reads a hash map from user space, many entries a call. What is added or removed meanwhile may be among them or not.
pub fn read_hash<K: Pod, V: Pod>(map: BorrowedFd<'_>) -> io::Result<Vec<(K, V)>> {
    // A bucket is given whole, so there must be room for the largest.
    const AT_ONCE: usize = 4096;
    let (mut keys, mut values) = (vec![K::zeroed(); AT_ONCE], vec![V::zeroed(); AT_ONCE]);
    let (mut entries, mut bucket, mut is_first) = (Vec::new(), 0u64, true);
    loop {
        let position = &raw mut bucket;
        let mut attributes = Attributes::new(&[(8, AT_ONCE as u32), (9, number(map))])
            .with_pointer(2, position)
            .with_pointer(4, keys.as_mut_ptr())
            .with_pointer(6, values.as_mut_ptr());
        if !is_first {
            attributes = attributes.with_pointer(0, position);
        }
        let read = attributes.call(MAP_LOOKUP_BATCH);
        let at_end = matches!(&read, Err(error) if error.kind() == io::ErrorKind::NotFound);
        if !at_end {
            read?;
        }
        let count = (attributes.0[8] as usize).min(AT_ONCE);
        entries.extend(keys[..count].iter().copied().zip(values[..count].iter().copied()));
        if at_end {
            return Ok(entries);
        }
        is_first = false;
    }
}

/// What a program is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ProgramInfo {
    /// `enum bpf_prog_type`
    pub kind: u32,
    pub id: u32,
}

/// The id of the program that was loaded next after this one; 0: the first. `None`: none was.
pub fn next_program(id: u32) -> io::Result<Option<u32>> {
    let mut attributes = Attributes::new(&[(0, id)]);
    match attributes.call(PROG_GET_NEXT_ID) {
        Ok(_) => Ok(Some(attributes.0[1])),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens a program.
pub fn program_by_id(id: u32) -> io::Result<OwnedFd> {
    Attributes::new(&[(0, id)]).call_for_descriptor(PROG_GET_FD_BY_ID)
}

/// Says what a program is.
pub fn program_info(program: BorrowedFd<'_>) -> io::Result<ProgramInfo> {
    let mut info = ProgramInfo { kind: 0, id: 0 };
    // The kernel fills in as much as there is room for.
    Attributes::new(&[(0, number(program)), (1, size_of::<ProgramInfo>() as u32)])
        .with_pointer(2, &raw mut info)
        .call(OBJ_GET_INFO_BY_FD)?;
    Ok(info)
}

/// Pins a map, program or link.
pub fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = c_path(path)?;
    Attributes::new(&[(2, number(object))]).with_pointer(0, path.as_ptr()).call(OBJ_PIN).map(drop)
}

/// Opens what is pinned at `path`.
pub fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    Attributes::new(&[]).with_pointer(0, path.as_ptr()).call_for_descriptor(OBJ_GET)
}

/// Tries to load an sk_msg program.
pub fn try_load_sk_msg(instructions: &[u64]) -> io::Result<()> {
    const SK_MSG: u32 = 16;
    let license = c"GPL";
    Attributes::new(&[(0, SK_MSG), (1, instructions.len() as u32)])
        .with_pointer(2, instructions.as_ptr())
        .with_pointer(4, license.as_ptr())
        .call_for_descriptor(PROG_LOAD)
        .map(drop)
}
