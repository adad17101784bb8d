//! Contexts of the iterators, as the kernel lays them out.

use crate::socket::Own;
use aya_ebpf::bindings::seq_file;
use core::ffi::c_void;
use meshaccel_abi::{Connection, EndId, EndRecord};

/// `struct bpf_iter_meta` (include/linux/bpf.h).
#[repr(C)]
pub struct Meta {
    /// What the pass writes to.
    pub seq: *mut seq_file,
    pub session_id: u64,
    pub seq_num: u64,
}

/// `struct bpf_iter__bpf_sk_storage_map` (net/core/bpf_sk_storage.c).
#[repr(C)]
pub struct StorageIterator {
    pub meta: *mut Meta,
    pub map: *mut c_void,
    pub sk: *mut c_void,
    pub value: *mut Connection,
}

impl StorageIterator {
    /// The socket, and since when it is marked, where the marks are iterated over.
    #[inline(always)]
    pub fn marked(ctx: *mut Self) -> Option<(Own, u64)> {
        // SAFETY: fields of the context; the verifier demands the null checks.
        unsafe {
            let since = (*ctx).value.cast::<u64>();
            let own = Own::new((*ctx).sk)?;
            if since.is_null() { None } else { Some((own, *since)) }
        }
    }

    /// The socket and its storage; `None` at the end of the pass and for sockets that are no full TCP sockets.
    #[inline(always)]
    pub fn read(ctx: *mut Self) -> Option<(Own, &'static mut Connection)> {
        // SAFETY: fields of the context; the verifier demands the null checks.
        unsafe {
            let value = (*ctx).value;
            let own = Own::new((*ctx).sk)?;
            if value.is_null() {
                return None;
            }
            Some((own, &mut *value))
        }
    }
    /// The file that the pass writes to.
    #[inline(always)]
    pub fn file(ctx: *mut Self) -> *mut seq_file {
        // SAFETY: fields of the context.
        unsafe { (*(*ctx).meta).seq }
    }
}

/// `struct bpf_iter__bpf_map_elem` (kernel/bpf/map_iter.c), over the records of ends.
#[repr(C)]
pub struct EndIterator {
    pub meta: *mut Meta,
    pub map: *mut c_void,
    pub key: *const EndId,
    pub value: *const EndRecord,
}

/// `struct bpf_iter__tcp` (net/ipv4/tcp_ipv4.c).
#[repr(C)]
pub struct TcpIterator {
    pub meta: *mut Meta,
    pub socket: *mut c_void,
    pub uid: u64,
}
