//! The bytes of the load: a stream that repeats only after a prime number of bytes, so that a lost, doubled or moved piece
//! does not fit. Whoever knows a position knows the bytes there without computing them.

use meshaccel_e2e_harness::content::pattern;

/// A prime: no size of message divides it.
const PERIOD: usize = 65_521;
/// The longest slice that can be had.
pub const LONGEST: usize = 64 << 10;

/// The stream, once round and a slice more.
#[derive(Debug)]
pub struct Wheel(Vec<u8>);

impl Wheel {
    pub fn new() -> Self {
        Self(pattern(PERIOD).into_iter().cycle().take(PERIOD + LONGEST).collect())
    }

    /// The bytes from `position` on; `length` is at most [`LONGEST`].
    pub fn at(&self, position: u64, length: usize) -> &[u8] {
        let start = (position % PERIOD as u64) as usize;
        &self.0[start..start + length]
    }

    /// Are these the bytes from `position` on?
    pub fn fits(&self, position: u64, bytes: &[u8]) -> bool {
        self.at(position, bytes.len()) == bytes
    }
}

impl Default for Wheel {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_fits_only_where_it_belongs() {
        let wheel = Wheel::new();
        let piece = wheel.at(1_000_000, 64);
        assert!(wheel.fits(1_000_000, piece) && wheel.fits(1_000_000 + PERIOD as u64, piece));
        for moved in [1, 2, 63, 64, 1024, 65_536] {
            assert!(!wheel.fits(1_000_000 + moved, piece), "moved by {moved}");
        }
        assert_eq!(wheel.at(PERIOD as u64 - 1, LONGEST).len(), LONGEST);
    }
}
