//! What is sent where no [`Pattern`](crate::traffic::Pattern) goes: files, bodies, values.

/// Bytes in which a lost, doubled or exchanged piece shows: no two 8-byte words are equal.
pub fn pattern(size: usize) -> Vec<u8> {
    let words = (1u64..).flat_map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    words.take(size).collect()
}
