//! Programs from a seed. No program fills a queue: how much fits is not TCP's promise, and would make every trace its own.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::step::{Chosen, Flags, Step};
use crate::Who;
use crate::options::*;

/// Bytes that may be unread in one direction.
const UNREAD: usize = 40_000;
const LONGEST: usize = 40;

/// Options that programs set, each with the values it may get.
pub const OPTIONS: &[(SocketOption, &[i32])] = &[
    (TCP_NODELAY, &[1]),
    (TCP_CORK, &[0, 1]),
    (TCP_QUICKACK, &[0, 1]),
    (TCP_INQ, &[0, 1]),
    (SO_RCVLOWAT, &[1, 5, 300]),
    (SO_OOBINLINE, &[0, 1]),
    (SO_PEEK_OFF, &[-1, 0, 3]),
    (SO_TIMESTAMP, &[0, 1]),
    (SO_TIMESTAMPNS, &[0, 1]),
    (SO_RCVBUF, &[150_000, 400_000]),
    (SO_KEEPALIVE, &[0, 1]),
    (SO_BUSY_POLL, &[0, 20]),
];

/// What programs leave out because it is known to differ: words of a step as it is shown, and why. Whatever makes messages
/// take TCP behind redirected ones makes a receive call short once: tcp_bpf_recvmsg does not go on from one queue into the
/// other ([`crate::known`]).
pub const AVOIDED: &[(&str, &str)] = &[
    ("MORE", "takes TCP"),
    ("OOB", "takes TCP"),
    ("ZEROCOPY", "takes TCP"),
    ("TCP_CORK", "takes TCP"),
    ("TCP_INQ", "takes TCP from when it is set"),
    ("SO_RCVLOWAT", "takes TCP from when it is set"),
    ("SO_PEEK_OFF", "takes TCP from when it is set"),
    ("SO_TIMESTAMP", "takes TCP from when it is set"),
    ("Blocking", "takes TCP from when it is set, and tcp_bpf_recvmsg waits once"),
    ("Count", "tcp_bpf_ioctl counts one queue"),
    ("TRUNC", "sk_msg_recvmsg copies"),
    ("SpliceOut", "tcp_splice_read looks at one queue"),
];

/// Makes one program.
pub struct Generator<'a> {
    dice: StdRng,
    /// Further words of steps that are left out.
    avoided: &'a [String],
    /// At most so many bytes wait for each end.
    unread: [usize; 2],
}

impl<'a> Generator<'a> {
    pub fn new(seed: u64, avoided: &'a [String]) -> Self {
        Self { dice: StdRng::seed_from_u64(seed), avoided, unread: [0; 2] }
    }

    /// A program. Half of them are plain traffic with one thing that is odd, as programs are.
    pub fn program(&mut self) -> Vec<Step> {
        let odd = if self.dice.random_bool(0.5) { 0.04 } else { 0.3 };
        let length = self.dice.random_range(4..=LONGEST);
        let mut steps = Vec::with_capacity(length);
        while steps.len() < length {
            let who = self.who();
            let step = if self.dice.random_bool(odd) { self.odd(who) } else { self.ordinary(who) };
            self.make_room(&step, &mut steps);
            steps.push(step);
        }
        // Most programs end their connection, in some way, and look at what is left.
        if self.dice.random_bool(0.7) {
            let who = self.who();
            // What is unread when it is closed differs: `conformance::known`, tcp_close.
            steps.push(Step::Drain { who });
            steps.push(self.end(who));
            for who in Who::BOTH {
                steps.push(Step::Poll { who });
                steps.push(Step::Drain { who });
            }
        }
        steps.retain(|step| !self.is_avoided(step));
        steps
    }

    fn is_avoided(&self, step: &Step) -> bool {
        let shown = format!("{step:?}");
        let words = self.avoided.iter().map(String::as_str).chain(AVOIDED.iter().map(|(word, _)| *word));
        words.into_iter().any(|word| shown.contains(word))
    }

    fn who(&mut self) -> Who {
        if self.dice.random_bool(0.5) { Who::Sender } else { Who::Receiver }
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.dice.random_range(0..all.len())]
    }

    fn size(&mut self) -> usize {
        let most = self.one_of(&[3, 20, 20, 300, 300, 3000, 15_000]);
        self.dice.random_range(1..=most)
    }

    fn sizes(&mut self) -> Vec<usize> {
        let count = self.dice.random_range(1..=6);
        (0..count).map(|_| self.size().min(UNREAD / 8)).collect()
    }

    fn ordinary(&mut self, who: Who) -> Step {
        let (size, sizes) = (self.size(), self.sizes());
        let none = Flags(0);
        match self.dice.random_range(0..15) {
            0..=4 => Step::Send { who, size, flags: none },
            5 => Step::WritePieces { who, sizes },
            6 => Step::SendMany { who, sizes },
            7..=9 => Step::Receive { who, size: size * 2, flags: none },
            10 => Step::ReceivePieces { who, sizes, flags: none },
            11 => Step::Drain { who },
            12 => Step::Poll { who },
            13 => Step::Edge,
            _ => Step::Count { who },
        }
    }

    fn odd(&mut self, who: Who) -> Step {
        use libc::{MSG_DONTWAIT, MSG_MORE, MSG_OOB, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_ZEROCOPY};
        let (size, sizes) = (self.size(), self.sizes());
        match self.dice.random_range(0..20) {
            0..=2 => Step::Send { who, size, flags: Flags(self.one_of(&[MSG_MORE, MSG_MORE, MSG_OOB, MSG_ZEROCOPY])) },
            3..=6 => {
                let flags = [MSG_PEEK, MSG_WAITALL, MSG_PEEK | MSG_WAITALL, MSG_TRUNC, MSG_OOB, MSG_DONTWAIT];
                Step::Receive { who, size, flags: Flags(self.one_of(&flags)) }
            }
            7 => Step::ReceivePieces { who, sizes, flags: Flags(self.one_of(&[MSG_PEEK, MSG_WAITALL])) },
            8 => Step::ReceiveMany { who, sizes },
            9 => Step::Level { who },
            10..=13 => {
                let option = self.dice.random_range(0..OPTIONS.len());
                Step::Set { who, option: Chosen(option), value: self.one_of(OPTIONS[option].1) }
            }
            14 => Step::Blocking { who, blocking: self.dice.random_bool(0.7) },
            15 => Step::SpliceOut { who, size },
            16 => Step::SpliceInto { who, size },
            17 => Step::SendFile { who, size },
            18 => Step::AtMark { who },
            _ => Step::Error { who },
        }
    }

    fn end(&mut self, who: Who) -> Step {
        match self.dice.random_range(0..6) {
            0..=1 => Step::Close { who },
            2 => Step::Reset { who },
            _ => Step::ShutDown {
                who,
                how: self.one_of(&[libc::SHUT_WR, libc::SHUT_WR, libc::SHUT_RD, libc::SHUT_RDWR]),
            },
        }
    }

    /// Lets the other end read first, when this step could fill its queue.
    fn make_room(&mut self, step: &Step, steps: &mut Vec<Step>) {
        let (who, size) = match step {
            Step::Send { who, size, .. } | Step::SpliceInto { who, size } | Step::SendFile { who, size } => {
                (*who, *size)
            }
            Step::WritePieces { who, sizes } | Step::SendMany { who, sizes } => (*who, sizes.iter().sum()),
            _ => return,
        };
        let reader = who.other();
        if self.unread[reader as usize] + size > UNREAD {
            steps.push(Step::Drain { who: reader });
            self.unread[reader as usize] = 0;
        }
        self.unread[reader as usize] += size;
    }
}
