//! What is asked and answered. All servers and clients have the same file, the *base*: an answer is a piece of it, so that a
//! byte that is lost, doubled, or another request's shows.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};
use meshaccel_e2e_harness::content::pattern;

/// The largest piece.
pub const LARGEST: usize = 4 << 20;
/// So many places where a piece may begin.
const BEGINNINGS: usize = 64 << 10;
/// Operations up to this are small: an answer within [`super::wire::DEADLINE`] is expected.
pub const SMALL: usize = 16 << 10;

/// Around nothing, a segment, a page, the buffers of proxies and servers, what may be redirected at once, and large.
const SIZES: [usize; 13] =
    [16_385, 40_000, 65_535, 65_536, 65_537, 100_000, 131_073, 200_000, 262_144, 262_145, 500_000, 1 << 20, LARGEST];
const SMALL_SIZES: [usize; 16] = [1, 2, 7, 64, 100, 255, 512, 1000, 1024, 1460, 4095, 4096, 4097, 8192, 10_000, SMALL];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// A piece of the base.
    Get,
    /// The hash of a piece, which the client sends.
    Post,
    /// A piece that the client gives up in the middle: for [`super::agent`].
    Abort,
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    pub verb: Verb,
    pub size: usize,
    /// Where in the base the piece begins.
    pub seed: usize,
}

impl Operation {
    pub fn get(size: usize, seed: usize) -> Self {
        Self { verb: Verb::Get, size, seed: seed % BEGINNINGS }
    }

    pub fn post(size: usize, seed: usize) -> Self {
        Self { verb: Verb::Post, size, seed: seed % BEGINNINGS }
    }

    pub fn abort(size: usize, seed: usize) -> Self {
        Self { verb: Verb::Abort, size, seed: seed % BEGINNINGS }
    }

    /// The bytes that it is about.
    pub fn piece(&self) -> &'static [u8] {
        &base()[self.seed..self.seed + self.size]
    }

    /// The SHA-256 of them in hexadecimal.
    pub fn hash(&self) -> String {
        hex(ring::digest::digest(&ring::digest::SHA256, self.piece()).as_ref())
    }

    pub fn is_small(&self) -> bool {
        self.size <= SMALL && self.verb != Verb::Abort
    }
}

/// A line of a client program's list.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.verb {
            Verb::Get => "get",
            Verb::Post => "post",
            Verb::Abort => "abort",
        };
        write!(f, "{verb} {} {}", self.size, self.seed)
    }
}

/// Reads such a line.
pub fn parse(line: &str) -> Result<Operation> {
    let mut words = line.split_whitespace();
    let verb = match words.next() {
        Some("get") => Verb::Get,
        Some("post") => Verb::Post,
        Some("abort") => Verb::Abort,
        other => bail!("an operation {other:?}"),
    };
    let mut number = || -> Result<usize> { Ok(words.next().context("an operation without numbers")?.parse()?) };
    Ok(Operation { verb, size: number()?, seed: number()? })
}

/// The base.
pub fn base() -> &'static [u8] {
    static BASE: OnceLock<Vec<u8>> = OnceLock::new();
    BASE.get_or_init(|| pattern(LARGEST + BEGINNINGS))
}

/// Writes the base where programs find it.
pub fn write_base(path: &Path) -> Result<()> {
    Ok(std::fs::write(path, base())?)
}

pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}

/// Every size up and down, three small operations after each large one.
pub fn mixed() -> Vec<Operation> {
    let mut operations = Vec::new();
    let mut seed = 0;
    let mut next = || {
        seed += 4999;
        seed
    };
    let mut small = SMALL_SIZES.iter().cycle();
    for size in SIZES {
        operations.push(Operation::get(size, next()));
        operations.extend(small.by_ref().take(3).map(|&size| Operation::get(size, next())));
        operations.push(Operation::post(size, next()));
        operations.extend(small.by_ref().take(3).map(|&size| Operation::post(size, next())));
    }
    operations
}

/// Small ones only, each connection of a crowd its own.
pub fn small(connection: usize) -> Vec<Operation> {
    let place = |index: usize| connection * 7919 + index * 101;
    let get = SMALL_SIZES.iter().enumerate().map(|(index, &size)| Operation::get(size, place(index)));
    let post = SMALL_SIZES.iter().enumerate().map(|(index, &size)| Operation::post(size, place(index) + 50));
    get.zip(post).flat_map(|(get, post)| [get, post]).collect()
}

/// An error that says where an answer parts from the expected one.
pub fn check(operation: &Operation, got: &[u8], expected: &[u8]) -> Result<()> {
    let at = || got.iter().zip(expected).position(|(a, b)| a != b).unwrap_or(got.len().min(expected.len()));
    ensure!(
        got == expected,
        "{operation}: {} bytes instead of {}, first difference at byte {}",
        got.len(),
        expected.len(),
        at()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_of_another_piece_is_seen() {
        let operation = Operation::get(1000, 5);
        let mut got = operation.piece().to_vec();
        check(&operation, &got, operation.piece()).unwrap();
        got[999] ^= 1;
        let error = check(&operation, &got, operation.piece()).unwrap_err().to_string();
        assert_eq!(error, "get 1000 5: 1000 bytes instead of 1000, first difference at byte 999");
        assert_ne!(Operation::get(100, 1).piece(), Operation::get(100, 2).piece());
    }

    #[test]
    fn the_hash_is_that_of_sha256sum() {
        let empty = Operation::post(0, 0);
        assert_eq!(empty.hash(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn the_list_has_all_sizes_and_mostly_small_ones() {
        let all = mixed();
        assert!(all.iter().any(|o| o.size == 1) && all.iter().any(|o| o.size == LARGEST));
        assert!(all.iter().filter(|o| o.is_small()).count() > all.len() / 2);
        assert!(all.iter().all(|operation| parse(&operation.to_string()).unwrap() == *operation));
    }
}
