//! Looks up the table of fields that the programs load ([`Offsets::FIELDS`]) in the kernel's type information.

use std::collections::HashMap;

use meshaccel_abi::redirect::{Calls, Offsets};
use meshaccel_bpf::btf::{Btf, BtfError, FUNC, STRUCT};
use meshaccel_bpf::fields::span;
use meshaccel_bpf::rdonly_cast;

#[cfg(test)]
mod saved;

/// Offsets of the running kernel. What is no offset, and has to be tried, is 0: the safe assumption.
pub fn find(btf: &Btf) -> Result<Offsets, BtfError> {
    Ok(Offsets { casts: rdonly_cast::find(btf), loops: btf.id("bpf_loop", FUNC).is_some().into(), ..fields(btf)? })
}

/// What a kernel's type information says.
pub fn fields(btf: &Btf) -> Result<Offsets, BtfError> {
    let flag = |name| btf.enumerator("sock_flags", name).map(|bit| 1u32 << bit);
    let mut structures = HashMap::new();
    let offsets = Offsets::find(|field| {
        let mut id = |name| *structures.entry(name).or_insert_with(|| btf.id(name, STRUCT));
        span(btf, &mut id, field)
    })?;
    Ok(Offsets {
        stamps_received: flag("SOCK_RCVTSTAMP")? | flag("SOCK_TIMESTAMPING_RX_SOFTWARE")?,
        zero_copy: flag("SOCK_ZEROCOPY")?,
        calls: CALLS,
        ..offsets
    })
}

const CALLS: Calls = Calls {
    write: libc::SYS_write as u32,
    writev: libc::SYS_writev as u32,
    sendto: libc::SYS_sendto as u32,
    sendmsg: libc::SYS_sendmsg as u32,
    sendmmsg: libc::SYS_sendmmsg as u32,
    sendfile: libc::SYS_sendfile as u32,
    splice: libc::SYS_splice as u32,
};
