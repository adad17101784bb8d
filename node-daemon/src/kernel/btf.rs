//! Just enough of BTF (the kernel's own type information) to find the offset of a field and the id of a symbol.
//!
//! aya parses all of it, but keeps the members of structures to itself.

use std::path::Path;

use thiserror::Error;

/// What can be wrong with the kernel's type information.
#[derive(Debug, Error)]
pub enum BtfError {
    /// No BTF, or not readable.
    #[error("cannot read {path}: this kernel was built without type information (CONFIG_DEBUG_INFO_BTF)")]
    Read {
        path: String,
        #[source]
        source: std::io::Error,
    },
    /// It is not what the format says.
    #[error("the kernel's type information is malformed")]
    Malformed,
    /// A field that meshaccel needs is not there.
    #[error("this kernel's {structure} has no field {field}")]
    NoField { structure: String, field: String },
}

const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
/// `BTF_KIND_TYPEDEF`
pub const TYPEDEF: u32 = 8;
/// `BTF_KIND_FUNC`
pub const FUNC: u32 = 12;

/// The kernel's types.
pub struct Btf {
    data: Vec<u8>,
    /// Where in `data` each type begins; type ids count from 1.
    types: Vec<u32>,
    strings: usize,
}

struct Type<'a> {
    name: u32,
    kind: u32,
    bit_fields: bool,
    referenced: u32,
    members: &'a [u8],
}

impl Btf {
    /// Of the running kernel.
    pub fn of_kernel() -> Result<Self, BtfError> {
        let path = Path::new("/sys/kernel/btf/vmlinux");
        let data = std::fs::read(path).map_err(|source| BtfError::Read { path: path.display().to_string(), source })?;
        Self::parse(data).ok_or(BtfError::Malformed)
    }

    fn parse(data: Vec<u8>) -> Option<Self> {
        let word = |at: usize| Some(u32::from_le_bytes(data.get(at..at + 4)?.try_into().ok()?));
        if word(0)? & 0xffff != 0xeb9f {
            return None;
        }
        let header = word(4)? as usize;
        let (begin, length) = (header + word(8)? as usize, word(12)? as usize);
        let strings = header + word(16)? as usize;
        let (mut types, mut at) = (Vec::new(), begin);
        while at < begin + length {
            types.push(u32::try_from(at).ok()?);
            let info = word(at + 4)?;
            let count = (info & 0xffff) as usize;
            at += 12
                + match info >> 24 & 0x1f {
                    1 | 14 | 17 => 4,
                    3 => 12,
                    4 | 5 | 15 | 19 => count * 12,
                    6 | 13 => count * 8,
                    _ => 0,
                };
        }
        Some(Self { data, types, strings })
    }

    fn word(&self, at: usize) -> u32 {
        self.data.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
    }

    fn get(&self, id: u32) -> Option<Type<'_>> {
        let at = *self.types.get((id as usize).checked_sub(1)?)? as usize;
        let info = self.word(at + 4);
        let (kind, count) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
        let length = match kind {
            STRUCT | UNION => count * 12,
            ENUM => count * 8,
            _ => 0,
        };
        let members = self.data.get(at + 12..at + 12 + length)?;
        Some(Type { name: self.word(at), kind, bit_fields: info >> 31 == 1, referenced: self.word(at + 8), members })
    }

    fn name(&self, offset: u32) -> &[u8] {
        let rest = self.data.get(self.strings + offset as usize..).unwrap_or_default();
        rest.split(|b| *b == 0).next().unwrap_or_default()
    }

    /// Id of the first type of `kind` with this name.
    pub fn id(&self, name: &str, kind: u32) -> Option<u32> {
        let ids = 1..=u32::try_from(self.types.len()).ok()?;
        ids.into_iter().find(|&id| self.get(id).is_some_and(|t| t.kind == kind && self.name(t.name) == name.as_bytes()))
    }

    /// Byte offset of a field, given as a dotted path; anonymous structures and unions on the way need not be named.
    pub fn offset(&self, structure: &str, field: &str) -> Result<u32, BtfError> {
        Ok(self.bits(structure, field)? / 8)
    }

    /// Byte offset of a bit field, and the lowest bit of it in that byte.
    pub fn bit_field(&self, structure: &str, field: &str) -> Result<(u32, u32), BtfError> {
        let bits = self.bits(structure, field)?;
        Ok((bits / 8, 1 << (bits % 8)))
    }

    /// Value of an enumerator.
    pub fn enumerator(&self, enumeration: &str, name: &str) -> Result<u32, BtfError> {
        let none = || BtfError::NoField { structure: enumeration.to_owned(), field: name.to_owned() };
        let found = self.id(enumeration, ENUM).and_then(|id| self.get(id)).ok_or_else(none)?;
        let mut values = found.members.chunks_exact(8).map(|member| {
            let word = |i: usize| u32::from_le_bytes([member[i], member[i + 1], member[i + 2], member[i + 3]]);
            (word(0), word(4))
        });
        values.find(|&(offset, _)| self.name(offset) == name.as_bytes()).map(|(_, value)| value).ok_or_else(none)
    }

    fn bits(&self, structure: &str, field: &str) -> Result<u32, BtfError> {
        let none = || BtfError::NoField { structure: structure.to_owned(), field: field.to_owned() };
        let mut id = self.id(structure, STRUCT).ok_or_else(none)?;
        let mut all = 0;
        for part in field.split('.') {
            let (bits, member) = self.member(id, part.as_bytes()).ok_or_else(none)?;
            all += bits;
            id = member;
        }
        Ok(all)
    }

    /// Bit offset and type of a member.
    fn member(&self, id: u32, name: &[u8]) -> Option<(u32, u32)> {
        let container = self.get(self.unqualified(id))?;
        for member in container.members.chunks_exact(12) {
            let word = |i: usize| u32::from_le_bytes([member[i], member[i + 1], member[i + 2], member[i + 3]]);
            let bits = if container.bit_fields { word(8) & 0x00ff_ffff } else { word(8) };
            let member_name = self.name(word(0));
            if member_name == name {
                return Some((bits, word(4)));
            }
            if member_name.is_empty()
                && let Some((inner, found)) = self.member(word(4), name)
            {
                return Some((bits + inner, found));
            }
        }
        None
    }

    /// Looks through typedefs and qualifiers.
    fn unqualified(&self, mut id: u32) -> u32 {
        while let Some(t) = self.get(id) {
            if !matches!(t.kind, 8..=11 | 18) {
                break;
            }
            id = t.referenced;
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_this_kernel_as_the_uapi_says() {
        let btf = Btf::of_kernel().unwrap();
        // struct list_head { next, prev }: the one layout that will never change.
        assert_eq!(btf.offset("list_head", "prev").unwrap(), 8);
        assert_eq!(btf.offset("sock_common", "skc_daddr").unwrap(), 0);
        assert!(btf.offset("sock", "sk_backlog.rmem_alloc").unwrap() > 0);
        // Bits that the UAPI shows in TCP_INFO and SO_ZEROCOPY; enum sock_flags begins with SOCK_DEAD.
        assert_eq!(btf.enumerator("sock_flags", "SOCK_DEAD").unwrap(), 0);
        assert!(btf.enumerator("sock_flags", "SOCK_ZEROCOPY").unwrap() > 0);
        assert!(btf.enumerator("sock_flags", "SOCK_NOTHING").is_err());
        let (byte, bit) = btf.bit_field("tcp_sock", "recvmsg_inq").unwrap();
        assert!(byte > 0 && bit.is_power_of_two() && bit < 256);
        assert!(btf.id("tcp_sendmsg", FUNC).is_some());
        let error = btf.offset("tcp_sock", "no_such_field").unwrap_err();
        assert_eq!(error.to_string(), "this kernel's tcp_sock has no field no_such_field");
    }

    #[test]
    fn malformed_input_is_refused() {
        assert!(Btf::parse(vec![]).is_none());
        assert!(Btf::parse(vec![0x9f, 0xeb, 1, 0, 255, 255, 255, 255]).is_none());
    }
}
