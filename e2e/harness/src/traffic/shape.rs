//! How an exchange looks: how much goes each way in messages of which sizes, who reads and writes how, how it ends.

use std::ops::RangeInclusive;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// How one end learns that it may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Calls recv, and waits inside it on a blocking descriptor, in poll(2) after EAGAIN on a non-blocking one.
    Recv,
    /// poll(2), then one recv.
    Poll,
    /// Level-triggered epoll, then one recv.
    Level,
    /// Edge-triggered epoll: recv until EAGAIN, as Envoy and Go do.
    Edge,
}

impl Reader {
    pub const ALL: [Self; 4] = [Self::Recv, Self::Poll, Self::Level, Self::Edge];
}

/// How fast one end reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    Fast,
    /// A few hundred bytes a call, with pauses.
    Slow,
}

/// What one direction carries.
#[derive(Clone, Debug)]
pub struct Amount {
    pub bytes: u64,
    /// Sizes of the messages (one send call each); every order of magnitude is as likely as another.
    pub messages: RangeInclusive<usize>,
}

impl Amount {
    pub fn new(bytes: u64, messages: RangeInclusive<usize>) -> Self {
        Self { bytes, messages }
    }

    /// Nothing goes this way.
    pub fn none() -> Self {
        Self::new(0, 1..=1)
    }
}

/// The whole exchange on one connection.
#[derive(Clone, Debug)]
pub struct Shape {
    pub to_server: Amount,
    pub to_client: Amount,
    pub reader: Reader,
    pub pace: Pace,
    /// True: each end shuts down after its last byte, and must see the other's end of stream.
    pub close: bool,
    pub seed: u64,
}

impl Shape {
    /// The same amount both ways at once, read as fast as possible, left open.
    pub fn duplex(bytes: u64, messages: RangeInclusive<usize>) -> Self {
        Self {
            to_server: Amount::new(bytes, messages.clone()),
            to_client: Amount::new(bytes, messages),
            reader: Reader::Recv,
            pace: Pace::Fast,
            close: false,
            seed: 0,
        }
    }

    /// One direction only.
    pub fn one_way(bytes: u64, messages: RangeInclusive<usize>) -> Self {
        Self { to_client: Amount::none(), ..Self::duplex(bytes, messages) }
    }

    /// Everything by chance: amounts up to `bytes` each way, messages of 1 byte to 1 MB, any reader and pace.
    pub fn random(seed: u64, bytes: u64) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let pace = if dice.random_ratio(1, 4) { Pace::Slow } else { Pace::Fast };
        let mut amount = || {
            let largest = *[1, 64, 1460, 16 << 10, 256 << 10, 1 << 20].get(dice.random_range(0..6)).unwrap_or(&1);
            // A million calls of one byte show nothing that ten thousand do not.
            let most = bytes.min(largest as u64 * 10_000).max(2);
            Amount::new(dice.random_range(1..most), 1..=largest)
        };
        let (to_server, to_client) = (amount(), amount());
        Self { to_server, to_client, reader: Reader::ALL[dice.random_range(0..4)], pace, close: false, seed }
    }

    #[must_use]
    pub fn reader(self, reader: Reader) -> Self {
        Self { reader, ..self }
    }

    #[must_use]
    pub fn pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Ends with a half close from each side, whichever is done first.
    #[must_use]
    pub fn closing(self) -> Self {
        Self { close: true, ..self }
    }
}

/// The sizes of the messages of one direction, one after the other, until the amount is used up.
pub struct Messages {
    dice: StdRng,
    left: u64,
    sizes: RangeInclusive<usize>,
}

impl Messages {
    /// `salt` tells the two directions of a connection apart.
    pub fn new(amount: &Amount, seed: u64, salt: u64) -> Self {
        Self {
            dice: StdRng::seed_from_u64(seed.wrapping_mul(2).wrapping_add(salt)),
            left: amount.bytes,
            sizes: amount.messages.clone(),
        }
    }

    /// A size of the range, its order of magnitude chosen first: small messages are as frequent as large ones.
    pub fn size(dice: &mut StdRng, sizes: &RangeInclusive<usize>) -> usize {
        let (low, high) = ((*sizes.start()).max(1), (*sizes.end()).max(1));
        let bits = dice.random_range(low.ilog2()..=high.ilog2());
        let (from, to) = (low.max(1 << bits), high.min((2usize << bits) - 1));
        dice.random_range(from..=to)
    }
}

impl Iterator for Messages {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.left == 0 {
            return None;
        }
        let size = Self::size(&mut self.dice, &self.sizes).min(self.left as usize);
        self.left -= size as u64;
        Some(size)
    }
}
