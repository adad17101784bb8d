//! Just enough of BTF (the kernel's own type information) to find where a field is, how wide it is, and the id of a symbol.
//!
//! aya parses all of it, but keeps the members of structures to itself. btf-rs 2.0 shows them, but either builds maps of all
//! names and types (170 ms and 40 MB at each start) or maps the file into memory, which sysfs allows since Linux 6.16 only; and
//! its licence is the LGPL. This reads the bytes as they are.

use std::ops::Range;
use std::path::Path;

use meshaccel_abi::field::Span;
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
    #[error("the kernel's type information is malformed: {0}")]
    Malformed(&'static str),
    /// A field that meshaccel needs is not there.
    #[error("this kernel's {structure} has no field {field}")]
    NoField { structure: String, field: String },
    /// It has not the width that any kernel is known to give it.
    #[error("this kernel's {structure} has a field {field} of {found}, where meshaccel can read {expected}")]
    Width { structure: String, field: String, found: String, expected: String },
}

const INTEGER: u32 = 1;
const POINTER: u32 = 2;
const ARRAY: u32 = 3;
/// `BTF_KIND_STRUCT`
pub const STRUCT: u32 = 4;
const UNION: u32 = 5;
/// `BTF_KIND_ENUM`
pub const ENUM: u32 = 6;
/// `BTF_KIND_TYPEDEF`
pub const TYPEDEF: u32 = 8;
/// `BTF_KIND_FUNC`
pub const FUNC: u32 = 12;
const FLOAT: u32 = 16;
const TYPE_TAG: u32 = 18;
const ENUM64: u32 = 19;

/// The kernel's types.
pub struct Btf {
    data: Vec<u8>,
    /// Where in `data` each type begins; type ids count from 1.
    types: Vec<u32>,
    strings: Range<usize>,
}

/// One type, as it is stored: the first three words, and what follows them.
#[derive(Clone, Copy)]
pub struct Type<'a> {
    pub name: &'a [u8],
    pub info: u32,
    /// Its size, or the id of the type that it refers to.
    pub size_or_type: u32,
    pub rest: &'a [u8],
}

/// A member of a structure or a union.
#[derive(Clone, Copy)]
pub struct Member<'a> {
    pub name: &'a [u8],
    pub id: u32,
    /// Bits from the beginning of the structure.
    pub at: u32,
    /// Not 0: a bit field of so many bits.
    pub bits: u32,
}

/// Little-endian words.
fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
}

/// Length of what follows the first three words of a type; `None`: a kind of type that is not known.
fn length_of_rest(info: u32) -> Option<usize> {
    let count = (info & 0xffff) as usize;
    Some(match info >> 24 & 0x1f {
        // Variables and declaration tags.
        INTEGER | 14 | 17 => 4,
        ARRAY => 12,
        // Sections of data.
        STRUCT | UNION | 15 | ENUM64 => count * 12,
        // Prototypes of functions.
        ENUM | 13 => count * 8,
        // Forward declarations; typedefs and qualifiers.
        POINTER | 7 | TYPEDEF..=11 | FUNC | FLOAT | TYPE_TAG => 0,
        _ => return None,
    })
}

impl Type<'_> {
    /// `BTF_KIND_...`
    pub fn kind(&self) -> u32 {
        self.info >> 24 & 0x1f
    }
}

impl Btf {
    /// Of the running kernel.
    pub fn of_kernel() -> Result<Self, BtfError> {
        let path = Path::new("/sys/kernel/btf/vmlinux");
        let data = std::fs::read(path).map_err(|source| BtfError::Read { path: path.display().to_string(), source })?;
        Self::parse(data)
    }

    /// From the bytes of a kernel's section `.BTF`.
    pub fn parse(data: Vec<u8>) -> Result<Self, BtfError> {
        let [header, types_at, types_length, strings_at, strings_length] = {
            let mut header = words(data.get(4..24).ok_or(BtfError::Malformed("it ends in its header"))?);
            std::array::from_fn(|_| header.next().unwrap_or(0) as usize)
        };
        if data[..3] != [0x9f, 0xeb, 1] {
            return Err(BtfError::Malformed("it is no BTF of version 1 and this byte order"));
        }
        let end = header + types_at + types_length;
        let strings = header + strings_at..header + strings_at + strings_length;
        if end > data.len() || strings.end > data.len() {
            return Err(BtfError::Malformed("its header names more than there is"));
        }
        let (mut types, mut at) = (Vec::new(), header + types_at);
        while at < end {
            types.push(u32::try_from(at).map_err(|_| BtfError::Malformed("it is too long"))?);
            let info = data.get(at + 4..at + 8).and_then(|info| words(info).next()).unwrap_or(0);
            at += 12 + length_of_rest(info).ok_or(BtfError::Malformed("a kind of type in it is not known"))?;
        }
        if at != end {
            return Err(BtfError::Malformed("its last type is cut off"));
        }
        Ok(Self { data, types, strings })
    }

    /// A type by its id. 0 is void, which is not stored.
    pub fn get(&self, id: u32) -> Option<Type<'_>> {
        let at = *self.types.get((id as usize).checked_sub(1)?)? as usize;
        let mut head = words(self.data.get(at..at + 12)?);
        let (name, info, size_or_type) = (head.next()?, head.next()?, head.next()?);
        let rest = self.data.get(at + 12..at + 12 + length_of_rest(info)?)?;
        Some(Type { name: self.name(name), info, size_or_type, rest })
    }

    fn name(&self, offset: u32) -> &[u8] {
        let rest = self.data[self.strings.clone()].get(offset as usize..).unwrap_or_default();
        rest.split(|b| *b == 0).next().unwrap_or_default()
    }

    /// Id of the first type of `kind` with this name.
    pub fn id(&self, name: &str, kind: u32) -> Option<u32> {
        let ids = 1..=u32::try_from(self.types.len()).ok()?;
        ids.into_iter().find(|&id| self.get(id).is_some_and(|t| t.kind() == kind && t.name == name.as_bytes()))
    }

    /// The members of a structure or a union.
    pub fn members<'a>(&'a self, of: &Type<'a>) -> impl Iterator<Item = Member<'a>> + use<'a> {
        let bit_fields = of.info >> 31 == 1;
        let members = if matches!(of.kind(), STRUCT | UNION) { of.rest } else { &[] };
        members.chunks_exact(12).map(move |member| {
            let mut words = words(member);
            let mut next = || words.next().unwrap_or(0);
            let (name, id, at) = (next(), next(), next());
            let (at, bits) = if bit_fields { (at & 0x00ff_ffff, at >> 24) } else { (at, 0) };
            Member { name: self.name(name), id, at, bits }
        })
    }

    /// Names and values of an enumeration.
    pub fn enumerators<'a>(&'a self, of: &Type<'a>) -> impl Iterator<Item = (&'a [u8], u32)> + use<'a> {
        let values = if of.kind() == ENUM { of.rest } else { &[] };
        values.chunks_exact(8).map(|value| {
            let mut words = words(value);
            (self.name(words.next().unwrap_or(0)), words.next().unwrap_or(0))
        })
    }

    /// Value of an enumerator.
    pub fn enumerator(&self, enumeration: &str, name: &str) -> Result<u32, BtfError> {
        let of = self.id(enumeration, ENUM).and_then(|id| self.get(id));
        let value = of.and_then(|of| self.enumerators(&of).find(|(found, _)| *found == name.as_bytes()));
        let none = || BtfError::NoField { structure: enumeration.to_owned(), field: name.to_owned() };
        value.map(|(_, value)| value).ok_or_else(none)
    }

    /// A field of the structure with this id, given as a dotted path with `[n]` for an element of an array; anonymous
    /// structures and unions on the way need not be named.
    pub fn field(&self, structure: u32, path: &str) -> Option<Span> {
        let (mut id, mut at, mut bits) = (structure, 0, 0);
        for part in path.split('.') {
            let (name, element) = part.strip_suffix(']').and_then(|p| p.split_once('[')).unwrap_or((part, ""));
            let member = self.member(id, name.as_bytes())?;
            (id, at, bits) = (member.id, at + member.at, member.bits);
            if !element.is_empty() {
                let (of, count) = self.array(id)?;
                let element = element.parse().ok().filter(|&element: &u32| element < count)?;
                (id, at) = (of, at + self.bits(of)? * element);
            }
        }
        Some(Span { at, bits: if bits == 0 { self.bits(id)? } else { bits } })
    }

    fn member(&self, id: u32, name: &[u8]) -> Option<Member<'_>> {
        let container = self.get(self.unqualified(id))?;
        self.members(&container).find_map(|member| match member.name {
            [] => self.member(member.id, name).map(|inner| Member { at: member.at + inner.at, ..inner }),
            found => (found == name).then_some(member),
        })
    }

    /// Type and number of the elements.
    fn array(&self, id: u32) -> Option<(u32, u32)> {
        let array = self.get(self.unqualified(id)).filter(|of| of.kind() == ARRAY)?;
        Some((words(array.rest).next()?, words(array.rest).nth(2)?))
    }

    /// Size of a type.
    fn bits(&self, id: u32) -> Option<u32> {
        let of = self.get(self.unqualified(id))?;
        match of.kind() {
            POINTER => Some(64),
            ARRAY => self.array(id).and_then(|(of, count)| self.bits(of)?.checked_mul(count)),
            INTEGER | STRUCT | UNION | ENUM | FLOAT | ENUM64 => of.size_or_type.checked_mul(8),
            _ => None,
        }
    }

    /// Looks through typedefs and qualifiers.
    fn unqualified(&self, mut id: u32) -> u32 {
        while let Some(t) = self.get(id).filter(|t| matches!(t.kind(), TYPEDEF..=11 | TYPE_TAG)) {
            id = t.size_or_type;
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
        let field = |structure, path: &str| btf.field(btf.id(structure, STRUCT).unwrap(), path);
        // struct list_head { next, prev }: the one layout that will never change.
        assert_eq!(field("list_head", "prev"), Some(Span { at: 64, bits: 64 }));
        assert_eq!(field("sock_common", "skc_daddr"), Some(Span { at: 0, bits: 32 }));
        assert!(field("sock", "sk_backlog.rmem_alloc").unwrap().at > 0);
        assert_eq!(field("task_struct", "comm").unwrap().bits, 16 * 8);
        let comm = |element| field("task_struct", &format!("comm[{element}]"));
        assert_eq!(comm(15).unwrap().at - comm(0).unwrap().at, 15 * 8);
        assert_eq!(comm(16), None);
        // Bits that the UAPI shows in TCP_INFO and SO_ZEROCOPY; enum sock_flags begins with SOCK_DEAD.
        assert_eq!(btf.enumerator("sock_flags", "SOCK_DEAD").unwrap(), 0);
        assert!(btf.enumerator("sock_flags", "SOCK_ZEROCOPY").unwrap() > 0);
        assert!(btf.enumerator("sock_flags", "SOCK_NOTHING").is_err());
        assert_eq!(field("tcp_sock", "recvmsg_inq").unwrap().bits, 1);
        assert!(btf.id("tcp_sendmsg", FUNC).is_some());
        assert_eq!(field("tcp_sock", "no_such_field"), None);
    }

    #[test]
    fn malformed_input_is_refused() {
        let refused = |data: &[u8]| Btf::parse(data.to_vec()).err().unwrap().to_string();
        assert!(refused(&[]).contains("ends in its header"));
        let mut bytes = vec![0x9f, 0xeb, 1, 0];
        bytes.extend([24, 0, 12, 12, 1].into_iter().flat_map(u32::to_le_bytes));
        bytes.extend([0, POINTER << 24, 0].into_iter().flat_map(u32::to_le_bytes));
        bytes.push(0);
        assert_eq!(Btf::parse(bytes.clone()).unwrap().get(1).unwrap().kind(), POINTER);
        assert!(refused(&bytes[..36]).contains("more than there is"));
        let with = |at: usize, byte| {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            bytes
        };
        assert!(refused(&with(0, 0xeb)).contains("no BTF"));
        assert!(refused(&with(12, 8)).contains("cut off"));
        assert!(refused(&with(31, 31)).contains("not known"));
    }
}
