//! Looks up the table of fields that the programs load ([`Offsets::FIELDS`]) in the kernel's type information.

use std::collections::HashMap;

use meshaccel_abi::field::{Field, Span, Width};
use meshaccel_abi::{Calls, Offsets};

use super::btf::{Btf, BtfError, FUNC, STRUCT};
use super::casts;

#[cfg(test)]
mod saved;

/// Offsets of the running kernel. What is no offset, and has to be tried, is 0: the safe assumption.
pub fn find(btf: &Btf) -> Result<Offsets, BtfError> {
    Ok(Offsets { casts: casts::find(btf), loops: btf.id("bpf_loop", FUNC).is_some().into(), ..fields(btf)? })
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

/// Where a field is; an error unless the programs can load it.
fn span(btf: &Btf, id: &mut impl FnMut(&'static str) -> Option<u32>, field: &Field) -> Result<Span, BtfError> {
    let parts = |path: &&'static str| path.split_once('.').unwrap_or((path, ""));
    let found = field.paths.iter().map(parts).find_map(|(structure, path)| {
        let span = btf.field(id(structure)?, path)?;
        Some((structure, path, span))
    });
    match found {
        Some((.., span)) if field.fits(span) => Ok(span),
        Some((structure, path, span)) => Err(BtfError::Width {
            structure: structure.to_owned(),
            field: path.to_owned(),
            found: size(span),
            expected: match field.width {
                Width::Bytes(widths) => list(widths.iter().map(|&width| bytes(width))),
                Width::Bits => "bits of one byte".to_owned(),
            },
        }),
        None if field.optional => Ok(Span::ABSENT),
        None => Err(BtfError::NoField {
            structure: field.paths.first().map_or("", |path| parts(path).0).to_owned(),
            field: list(field.paths.iter().map(|path| parts(path).1.to_owned())),
        }),
    }
}

fn list(of: impl Iterator<Item = String>) -> String {
    of.collect::<Vec<_>>().join(" or ")
}

fn size(span: Span) -> String {
    match (span.bits % 8, span.at % 8) {
        (0, 0) => bytes(span.bits / 8),
        (_, at) => format!("{} bits from bit {at}", span.bits),
    }
}

fn bytes(count: u32) -> String {
    format!("{count} byte{}", if count == 1 { "" } else { "s" })
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
