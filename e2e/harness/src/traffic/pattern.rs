//! The bytes of a stream: word `i` of a direction is a bijective hash of (connection, direction, i).
//!
//! Because the hash can be undone, a wrong byte is not only noticed: the words around it say which connection,
//! direction and offset they were written for. So a report tells reordering, loss, repetition and cross-talk apart.

/// Which way a stream runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    ToServer,
    ToClient,
}

impl std::fmt::Display for Direction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::ToServer => "client to server",
            Self::ToClient => "server to client",
        })
    }
}

/// One direction of one connection. Copies are equal: writer and checker each hold one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Number of the connection; below 2^24.
    pub connection: u32,
    pub direction: Direction,
}

/// Where a stretch of bytes was written, as read back from the bytes themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pub pattern: Pattern,
    /// Byte offset in that pattern.
    pub offset: u64,
}

const INDEX_BITS: u32 = 38;
/// Separates the pattern from all-zero and from text: an untouched buffer must never look right.
const SALT: u64 = 0x6d65_7368_6163_6365;

impl Pattern {
    pub fn new(connection: u32, direction: Direction) -> Self {
        assert!(connection < 1 << 24, "connection numbers have 24 bits");
        Self { connection, direction }
    }

    fn word(self, index: u64) -> u64 {
        let direction = u64::from(self.direction == Direction::ToClient);
        // Bit 63 marks every word, so that a random word has an even chance of not looking like a pattern at all.
        mix(1 << 63 | u64::from(self.connection) << (INDEX_BITS + 1) | direction << INDEX_BITS | index)
    }

    /// Writes the pattern from `offset` on into `buffer`.
    pub fn fill(self, offset: u64, buffer: &mut [u8]) {
        let mut at = 0;
        while at < buffer.len() {
            let position = offset + at as u64;
            let skip = (position % 8) as usize;
            let word = self.word(position / 8).to_le_bytes();
            let n = (8 - skip).min(buffer.len() - at);
            buffer[at..at + n].copy_from_slice(&word[skip..skip + n]);
            at += n;
        }
    }

    /// The byte at `offset`.
    pub fn byte(self, offset: u64) -> u8 {
        self.word(offset / 8).to_le_bytes()[(offset % 8) as usize]
    }

    /// Index of the first byte of `got` that is not the pattern's from `offset` on.
    pub fn first_wrong(self, offset: u64, got: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < got.len() {
            let position = offset + at as u64;
            let skip = (position % 8) as usize;
            let word = self.word(position / 8).to_le_bytes();
            let n = (8 - skip).min(got.len() - at);
            if got[at..at + n] != word[skip..skip + n] {
                return (at..at + n).find(|&i| got[i] != word[skip + i - at]);
            }
            at += n;
        }
        None
    }
}

impl Origin {
    /// Reads the origin of the first bytes of `got`; needs two whole words to be sure, hence up to 23 bytes.
    pub fn of(got: &[u8]) -> Option<Self> {
        (0..8).find_map(|skip| {
            let first = origin_of_word(got.get(skip..skip + 8)?)?;
            let second = origin_of_word(got.get(skip + 8..skip + 16)?)?;
            let follows = second.pattern == first.pattern && second.offset == first.offset + 8;
            (follows && first.offset >= skip as u64).then(|| Self { offset: first.offset - skip as u64, ..first })
        })
    }
}

fn origin_of_word(bytes: &[u8]) -> Option<Origin> {
    let word = unmix(u64::from_le_bytes(bytes.try_into().ok()?));
    if word >> 63 == 0 {
        return None;
    }
    let direction = if word >> INDEX_BITS & 1 == 1 { Direction::ToClient } else { Direction::ToServer };
    let connection = (word >> (INDEX_BITS + 1)) as u32 & 0xff_ffff;
    Some(Origin { pattern: Pattern { connection, direction }, offset: (word & ((1 << INDEX_BITS) - 1)) * 8 })
}

/// The finalizer of splitmix64: every bit of the input moves half of the output.
fn mix(word: u64) -> u64 {
    let mut x = word ^ SALT;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn unmix(word: u64) -> u64 {
    let mut x = word ^ (word >> 31) ^ (word >> 62);
    x = x.wrapping_mul(0x3196_42b2_d24d_8ec3);
    x = x ^ (x >> 27) ^ (x >> 54);
    x = x.wrapping_mul(0x96de_1b17_3f11_9089);
    x ^ (x >> 30) ^ (x >> 60) ^ SALT
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_hash_can_be_undone(word: u64) {
            prop_assert_eq!(unmix(mix(word)), word);
        }

        #[test]
        fn any_stretch_of_a_pattern_says_where_it_belongs(connection in 0u32..1 << 24, offset in 0u64..1 << 40, back: bool) {
            let direction = if back { Direction::ToClient } else { Direction::ToServer };
            let pattern = Pattern::new(connection, direction);
            let mut bytes = [0; 23];
            pattern.fill(offset, &mut bytes);
            prop_assert_eq!(Origin::of(&bytes), Some(Origin { pattern, offset }));
        }

        #[test]
        fn a_changed_byte_is_found_where_it_is(offset in 0u64..1 << 40, length in 1usize..300, at: prop::sample::Index, flip in 1u8..) {
            let pattern = Pattern::new(7, Direction::ToServer);
            let mut bytes = vec![0; length];
            pattern.fill(offset, &mut bytes);
            prop_assert_eq!(pattern.first_wrong(offset, &bytes), None);
            let at = at.index(length);
            bytes[at] ^= flip;
            prop_assert_eq!(pattern.first_wrong(offset, &bytes), Some(at));
        }
    }

    #[test]
    fn what_is_no_pattern_has_no_origin() {
        assert_eq!(Origin::of(&[0; 64]), None);
        assert_eq!(Origin::of(b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n"), None);
    }
}
