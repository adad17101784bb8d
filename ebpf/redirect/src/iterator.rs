//! Contexts of the iterators, as the kernel lays them out.

use core::ffi::c_void;
use core::ptr::read_volatile;

use aya_ebpf::bindings::{file, seq_file};
use aya_ebpf::helpers::generated::bpf_sock_from_file;
use meshaccel_abi::redirect::Connection;

use crate::maps::offset;
use crate::record::find;
use crate::socket::Own;

/// `struct bpf_iter_meta` (include/linux/bpf.h).
#[repr(C)]
pub struct Meta {
    /// What the run writes to.
    pub seq: *mut seq_file,
    pub session_id: u64,
    pub seq_num: u64,
}

/// `struct bpf_iter__task_file` (kernel/bpf/task_iter.c): every open file of every process, in whatever network namespace. A
/// socket that several processes have open comes several times; one that nobody has accepted yet does not come. The kernel holds
/// each file for a moment, so that one which is closed just then is released a little later: for what is done rarely.
#[repr(C)]
pub struct FileIterator {
    pub meta: *mut Meta,
    pub task: *mut c_void,
    pub descriptor: u32,
    pub file: *mut file,
}

impl FileIterator {
    /// The socket and its storage; `None` at the end of the run and for all files but recorded sockets.
    #[inline(always)]
    pub fn read(ctx: *mut Self) -> Option<(Own, &'static mut Connection)> {
        // SAFETY: fields of the context; the verifier demands the null check. The helper takes any file.
        let socket = unsafe {
            let file = (*ctx).file;
            if file.is_null() {
                return None;
            }
            bpf_sock_from_file(file)
        };
        if socket.is_null() {
            return None;
        }
        let offset = offset!(socket_sock).offset() as usize;
        // SAFETY: a field of `struct socket`, which the verifier checks against the kernel's BTF.
        let sock: *mut c_void = unsafe { read_volatile(socket.cast::<u8>().add(offset).cast()) };
        let own = Own::new(sock)?;
        Some((own, find(own.pointer())?))
    }

    /// The file that the run writes to.
    #[inline(always)]
    pub fn output(ctx: *mut Self) -> *mut seq_file {
        // SAFETY: fields of the context.
        unsafe { (*(*ctx).meta).seq }
    }
}

/// `struct bpf_iter__tcp` (net/ipv4/tcp_ipv4.c).
#[repr(C)]
pub struct TcpIterator {
    pub meta: *mut Meta,
    pub socket: *mut c_void,
    pub uid: u64,
}

/// `struct bpf_iter__bpf_sk_storage_map` (net/core/bpf_sk_storage.c): every socket that has a value in the map, in whatever network
/// namespace.
#[repr(C)]
pub struct StorageIterator {
    pub meta: *mut Meta,
    pub map: *mut c_void,
    pub socket: *mut c_void,
    pub value: *mut c_void,
}
