//! Where a behaviour plays: both sockets of one connection as raw descriptors, and the trace of what was seen.
//!
//! The calls themselves are in [`super::calls`]. Every call that hands something to the kernel waits until it has arrived
//! ([`Session::settle`]), so that what is seen next depends on the sockets and not on the scheduler.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use meshaccel_e2e_harness::traffic::Pair;

use super::{names, sys};

/// Longer than anything takes that comes at all: what takes longer is written down as "hung".
pub const LIMIT: Duration = Duration::from_millis(2500);
/// Bytes that TCP says it has sent arrive at once, unless something is wrong that the trace will show.
const SETTLE_LIMIT: Duration = Duration::from_millis(400);

/// Which end of the connection. Which of them was the client depends on the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Sender,
    Receiver,
}

impl Who {
    pub const BOTH: [Self; 2] = [Self::Sender, Self::Receiver];

    pub fn other(self) -> Self {
        match self {
            Self::Sender => Self::Receiver,
            Self::Receiver => Self::Sender,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Receiver => "receiver",
        }
    }
}

/// One connection, ready for a behaviour.
#[derive(Debug)]
pub struct Session {
    ends: [Option<OwnedFd>; 2],
    trace: Vec<String>,
    /// What each end's TCP had sent more than the other's had received when the session began: nothing was under way then.
    offset: [i64; 2],
    /// What each end's TCP had sent when it was last asked.
    sent: [i64; 2],
    /// Bytes handed out by [`Self::bytes`].
    made: usize,
    /// A sender holds its bytes back on purpose: they are not waited for.
    pub(super) held: bool,
    /// So much was sent that it waits for the reader.
    pub(super) full: bool,
}

/// What a behaviour needs of TCP_INFO.
#[derive(Clone, Copy, Debug, Default)]
pub struct Info {
    pub state: u8,
    /// How often the timer has fired since TCP last had a window for what comes next.
    pub(super) backoff: u8,
    pub(super) sent: i64,
    received: i64,
    not_sent: u32,
}

impl Session {
    /// A session on this connection; the client is the sender, or the receiver.
    pub fn new(pair: Pair, client_sends: bool) -> Result<Self> {
        let Pair { client, server } = pair;
        let (sender, receiver) = if client_sends { (client, server) } else { (server, client) };
        let ends = [Some(sender.stream.into()), Some(receiver.stream.into())];
        let mut session =
            Self { ends, trace: Vec::new(), offset: [0; 2], sent: [0; 2], made: 0, held: false, full: false };
        for who in Who::BOTH {
            let sent = session.info(who).context("TCP_INFO failed")?.sent;
            session.offset[who as usize] = sent - session.info(who.other()).context("TCP_INFO failed")?.received;
            session.sent[who as usize] = sent;
            // The harness lets blocking calls wait for long; here every call comes back in time.
            let limit = libc::timeval {
                tv_sec: LIMIT.as_secs() as libc::time_t,
                tv_usec: LIMIT.subsec_micros() as libc::suseconds_t,
            };
            sys::set(session.fd(who), libc::SOL_SOCKET, libc::SO_RCVTIMEO, &limit)?;
            sys::set(session.fd(who), libc::SOL_SOCKET, libc::SO_SNDTIMEO, &limit)?;
            // Nagle's algorithm holds a second small message until the first is acknowledged: a matter of time only,
            // and nothing that anybody may rely on.
            sys::set(session.fd(who), libc::IPPROTO_TCP, libc::TCP_NODELAY, &1i32)?;
        }
        Ok(session)
    }

    /// The descriptor of an end, -1 when it has been closed.
    pub fn fd(&self, who: Who) -> RawFd {
        self.ends[who as usize].as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// Takes an end's descriptor out of the session.
    pub fn take(&mut self, who: Who) -> Option<OwnedFd> {
        self.ends[who as usize].take()
    }

    /// Puts a descriptor in the place of an end's.
    pub fn replace(&mut self, who: Who, fd: OwnedFd) {
        self.ends[who as usize] = Some(fd);
    }

    /// The session goes on with a new connection: nothing of it is under way.
    pub fn adopt(&mut self, who: Who, fd: OwnedFd) {
        self.replace(who, fd);
        for who in Who::BOTH {
            let sent = self.info(who).map_or(0, |info| info.sent);
            let received = self.info(who.other()).map_or(0, |info| info.received);
            self.offset[who as usize] = sent - received;
            self.sent[who as usize] = sent;
        }
    }

    /// The next `size` bytes of a text in which every stretch is different.
    pub fn bytes(&mut self, size: usize) -> Vec<u8> {
        let start = self.made;
        self.made += size;
        Self::text(start, size)
    }

    /// How many bytes of the text have been handed out.
    pub fn made(&self) -> usize {
        self.made
    }

    /// The last bytes of the text were not sent after all.
    pub fn give_back(&mut self, size: usize) {
        self.made -= size;
    }

    /// A stretch of the text.
    pub fn text(start: usize, size: usize) -> Vec<u8> {
        (start..start + size)
            .map(|at| {
                let mixed = (at as u64 / 26).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 59;
                b'a' + ((at as u64 + mixed) % 26) as u8
            })
            .collect()
    }

    /// Writes a line.
    pub fn note(&mut self, line: impl Into<String>) {
        self.trace.push(line.into());
    }

    /// Writes what an end did.
    pub fn tell(&mut self, who: Who, what: impl std::fmt::Display) {
        self.trace.push(format!("{} {what}", who.name()));
    }

    /// What was seen.
    pub fn into_trace(self) -> Vec<String> {
        self.trace
    }

    /// TCP_INFO of an end.
    pub fn info(&self, who: Who) -> Option<Info> {
        let (info, size) = sys::get(self.fd(who), libc::IPPROTO_TCP, libc::TCP_INFO, [0u64; 30]).ok()?;
        // struct tcp_info: backoff at 4, bytes_received at 128, notsent_bytes at 144, bytes_sent at 200, bytes_retrans at 208.
        (size >= 216).then(|| Info {
            state: info[0].to_ne_bytes()[0],
            backoff: info[0].to_ne_bytes()[4],
            sent: (info[25] - info[26]) as i64,
            received: info[16] as i64,
            not_sent: info[18] as u32,
        })
    }

    /// Waits until every byte that TCP has sent has arrived in the other end's queue. What was redirected is there
    /// already. What the congestion window holds is waited for; what the sender itself holds back is not.
    pub fn settle(&mut self) {
        let start = Instant::now();
        for from in Who::BOTH {
            while start.elapsed() < SETTLE_LIMIT && !self.is_settled(from) {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
    }

    fn is_settled(&mut self, from: Who) -> bool {
        let sender = self.info(from);
        if let Some(info) = sender {
            self.sent[from as usize] = info.sent;
        }
        let due = self.sent[from as usize] - self.offset[from as usize];
        let Some(receiver) = self.info(from.other()) else { return true };
        let receives = matches!(receiver.state, 1 | 4 | 5);
        let held = self.held || self.full || sender.is_none_or(|info| info.not_sent == 0);
        !receives || (receiver.received >= due && held)
    }

    /// Lets an end go, and waits until the other has heard of it: its FIN or RST has changed that one's state.
    pub fn leave(&mut self, who: Who, go: impl FnOnce(&mut Self)) {
        self.settle();
        let before = self.info(who.other()).map(|info| info.state);
        let own = self.info(who).map(|info| info.state);
        go(self);
        let start = Instant::now();
        // What is in FIN_WAIT1 gets there by itself; who has left before says nothing new.
        let speaks = matches!(own, Some(1 | 8));
        while speaks && start.elapsed() < SETTLE_LIMIT {
            let heard = self.info(who.other()).map(|info| info.state) != before;
            let acknowledged = !matches!(self.info(who).map(|info| info.state), Some(4 | 9 | 11));
            if heard && acknowledged {
                break;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        self.settle();
    }

    /// Writes the state of an end.
    pub fn state(&mut self, who: Who) {
        let state = self.info(who).map_or_else(|| "no TCP_INFO".to_owned(), |info| names::state(info.state));
        self.tell(who, format_args!("is {state}"));
    }
}
