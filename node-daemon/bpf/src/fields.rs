//! Looks up fields that programs load in the kernel's type information: offset and size.

use meshaccel_abi::field::{Field, Span, Width};

use super::btf::{Btf, BtfError};

/// Where a field is; an error unless the programs can load it.
pub fn span(btf: &Btf, id: &mut impl FnMut(&'static str) -> Option<u32>, field: &Field) -> Result<Span, BtfError> {
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
