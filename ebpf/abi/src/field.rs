//! How programs load a field of the kernel: always with the width that the running kernel gives it. The verifier refuses a
//! load that reaches past a member's end, and what a wrong width reads from another socket is silently wrong.

use core::marker::PhantomData;

use bytemuck::{Pod, Zeroable};

/// Where a member is, as the kernel's BTF says: in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From the beginning of its structure.
    pub at: u32,
    /// How many: 8 for each byte, or fewer for a bit field.
    pub bits: u32,
}

impl Span {
    /// A member that this kernel does not have, and need not have.
    pub const ABSENT: Self = Self { at: 0, bits: 0 };
}

/// The widths in which a field can be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// One of these numbers of bytes.
    Bytes(&'static [u32]),
    /// Some bits of one byte.
    Bits,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// What programs call it.
    pub name: &'static str,
    /// `structure.member`, with more members where it is inside one, `[n]` for an element. The first that exists counts.
    pub paths: &'static [&'static str],
    /// How wide the programs can load it; another width on some kernel is an error before anything is loaded.
    pub width: Width,
    /// A kernel without it is one too: its offset is 0 then.
    pub optional: bool,
}

/// Offsets that are packed with something else have 16 bits. All of them are in sockets and registers.
const PACKED: u32 = 1 << 16;

impl Field {
    /// Can the programs load this?
    pub fn fits(&self, span: Span) -> bool {
        let packed = span.at / 8 < PACKED;
        match self.width {
            Width::Bytes([only]) => span.at.is_multiple_of(8) && span.bits == only * 8,
            Width::Bytes(widths) => packed && span.at.is_multiple_of(8) && widths.iter().any(|w| span.bits == w * 8),
            Width::Bits => packed && span.bits > 0 && span.at % 8 + span.bits <= 8,
        }
    }
}

/// What the programs have of a field.
pub trait Place {
    /// The widths that it can load.
    const WIDTH: Width;
    /// Of one that [fits](Field::fits).
    fn new(span: Span) -> Self;
}

/// A field that has the same type on every kernel: its offset in bytes.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct At<T>(u32, PhantomData<T>);

impl<T> At<T> {
    /// The beginning: what a pointer points to.
    pub const BEGIN: Self = Self(0, PhantomData);

    /// In bytes, from the beginning of its structure.
    #[inline(always)]
    pub fn offset(self) -> u32 {
        self.0
    }
}

impl<T> From<At<T>> for u64 {
    #[inline(always)]
    fn from(at: At<T>) -> Self {
        at.0.into()
    }
}

impl<T> Place for At<T> {
    const WIDTH: Width = Width::Bytes(&[size_of::<T>() as u32]);

    fn new(span: Span) -> Self {
        Self(span.at / 8, PhantomData)
    }
}

/// A number of `NARROW` bytes on some kernels, of `WIDE` on others.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Number<const NARROW: u32, const WIDE: u32>(u32);

impl<const NARROW: u32, const WIDE: u32> Number<NARROW, WIDE> {
    /// In bytes, from the beginning of its structure.
    #[inline(always)]
    pub fn offset(self) -> u32 {
        self.0 % PACKED
    }

    /// Here it has `NARROW` bytes.
    #[inline(always)]
    pub fn is_narrow(self) -> bool {
        self.0 / PACKED == NARROW
    }
}

impl<const NARROW: u32, const WIDE: u32> Place for Number<NARROW, WIDE> {
    const WIDTH: Width = Width::Bytes(&[NARROW, WIDE]);

    fn new(span: Span) -> Self {
        Self(span.bits / 8 * PACKED + span.at / 8)
    }
}

/// A byte, or some bits of one: a bit field on some kernels.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Bits(u32);

impl Bits {
    /// The byte that it is in.
    #[inline(always)]
    pub fn byte(self) -> At<u8> {
        At(self.0 % PACKED, PhantomData)
    }

    /// Its value, from that byte.
    #[inline(always)]
    pub fn of(self, byte: u8) -> u8 {
        byte >> (self.0 / PACKED % 8) & (self.0 >> 24) as u8
    }
}

impl Place for Bits {
    const WIDTH: Width = Width::Bits;

    fn new(span: Span) -> Self {
        let mask = (1 << span.bits) - 1;
        Self((mask << 24) + span.at % 8 * PACKED + span.at / 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(width: Width) -> Field {
        Field { name: "field", paths: &["structure.member"], width, optional: false }
    }

    #[test]
    fn only_what_can_be_loaded_fits() {
        let bytes = field(At::<u32>::WIDTH);
        assert!(bytes.fits(Span { at: 800_000, bits: 32 }));
        assert!(!bytes.fits(Span { at: 804, bits: 32 }));
        assert!(!bytes.fits(Span { at: 800, bits: 16 }));
        let number = field(Number::<2, 4>::WIDTH);
        assert!(number.fits(Span { at: 800, bits: 16 }) && number.fits(Span { at: 800, bits: 32 }));
        assert!(!number.fits(Span { at: 800, bits: 64 }) && !number.fits(Span { at: 800_000, bits: 32 }));
        let bits = field(Bits::WIDTH);
        assert!(bits.fits(Span { at: 804, bits: 4 }) && bits.fits(Span { at: 800, bits: 8 }));
        assert!(!bits.fits(Span { at: 804, bits: 5 }) && !bits.fits(Span { at: 800, bits: 16 }));
    }

    #[test]
    fn a_place_says_what_was_found() {
        let narrow = Number::<2, 4>::new(Span { at: 1600, bits: 16 });
        let wide = Number::<2, 4>::new(Span { at: 1632, bits: 32 });
        assert_eq!((narrow.offset(), narrow.is_narrow(), wide.offset(), wide.is_narrow()), (200, true, 204, false));
        let bits = Bits::new(Span { at: 805, bits: 2 });
        assert_eq!((bits.byte().offset(), bits.of(0b0100_0000), bits.of(0b1001_1111)), (100, 2, 0));
        let byte = Bits::new(Span { at: 808, bits: 8 });
        assert_eq!((byte.byte().offset(), byte.of(0xa5)), (101, 0xa5));
        assert_eq!(u64::from(At::<u64>::new(Span { at: 640, bits: 64 })), 80);
    }
}
