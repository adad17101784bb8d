//! bpf(2) without a library: what exists in the kernel (to prove that nothing is left), and a few tiny programs of
//! somebody else (to prove that they are not disturbed).
//!
//! The daemon's own loader is not used on purpose: a test must not believe the tested.

mod foreign;
mod keys;
mod object;

pub use foreign::{ForeignSockOps, ForeignSockmap, ForeignVerdict};
pub use keys::{change_values, count_keys, has_key};
pub use object::{Kind, Object, Objects, opened_by, pinned, verified_instructions};

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// The widest `union bpf_attr` used here.
type Attr = [u8; 128];

const MAP_CREATE: i32 = 0;
const MAP_LOOKUP_ELEM: i32 = 1;
const MAP_UPDATE_ELEM: i32 = 2;
const PROG_LOAD: i32 = 5;
const OBJ_GET: i32 = 7;
const PROG_ATTACH: i32 = 8;
const PROG_DETACH: i32 = 9;
const PROG_GET_NEXT_ID: i32 = 11;
const MAP_GET_NEXT_ID: i32 = 12;
const PROG_GET_FD_BY_ID: i32 = 13;
const MAP_GET_FD_BY_ID: i32 = 14;
const OBJ_GET_INFO_BY_FD: i32 = 15;
const LINK_GET_FD_BY_ID: i32 = 30;
const LINK_GET_NEXT_ID: i32 = 31;

/// Writes `value` at byte `offset` of an attribute or an instruction buffer.
fn put(attr: &mut Attr, offset: usize, value: &[u8]) {
    attr[offset..offset + value.len()].copy_from_slice(value);
}

fn call(command: i32, attr: &mut Attr) -> io::Result<i32> {
    // SAFETY: `attr` is readable and writable for its length; addresses inside it are put there by callers that keep
    // what they point to alive through this call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attr.as_mut_ptr(), attr.len()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

fn call_for_fd(command: i32, attr: &mut Attr) -> io::Result<OwnedFd> {
    let fd = call(command, attr)?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
