//! What can be wrong with a stream. A fault names the connection, the direction and the offset, and, when the wrong
//! bytes are bytes of ours, where they belong.

use std::fmt;
use std::io;
use std::time::Instant;

use super::patience;
use super::pattern::{Origin, Pattern};

/// One stream that is not what was sent.
#[derive(Debug)]
pub struct Fault {
    pub pattern: Pattern,
    /// Bytes of this stream that were right (or, for a writer, taken by the kernel) before the fault.
    pub offset: u64,
    pub what: What,
}

/// The kinds of fault.
#[derive(Debug)]
pub enum What {
    Wrong {
        expected: Vec<u8>,
        got: Vec<u8>,
        origin: Option<Origin>,
    },
    /// End of stream where bytes were still to come.
    EarlyEnd,
    /// Bytes where the stream should have ended.
    Extra {
        got: Vec<u8>,
        origin: Option<Origin>,
    },
    /// Nothing moved for the whole patience of the engine.
    Stalled {
        doing: &'static str,
    },
    Failed {
        doing: &'static str,
        error: io::Error,
    },
}

impl Fault {
    /// A fault of bytes that are not the pattern's; `got` starts at the first wrong one.
    pub fn wrong(pattern: Pattern, offset: u64, got: &[u8]) -> Self {
        let shown = got.len().min(24);
        let mut expected = vec![0; shown];
        pattern.fill(offset, &mut expected);
        Self { pattern, offset, what: What::Wrong { expected, got: got[..shown].to_vec(), origin: Origin::of(got) } }
    }

    /// Bytes after the end.
    pub fn extra(pattern: Pattern, offset: u64, got: &[u8]) -> Self {
        let shown = got.len().min(24);
        Self { pattern, offset, what: What::Extra { got: got[..shown].to_vec(), origin: Origin::of(got) } }
    }

    /// A system call that failed. Running into the engine's own time limit is a stall; the same error before that is
    /// something no blocking call may say, and is told as it is.
    pub fn failed(pattern: Pattern, offset: u64, doing: &'static str, error: io::Error, since: Instant) -> Self {
        let timed_out = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
        let what = if timed_out && since.elapsed() >= patience().mul_f32(0.9) {
            What::Stalled { doing }
        } else {
            What::Failed { doing, error }
        };
        Self { pattern, offset, what }
    }

    /// True when bytes were wrong, lost, repeated or of another stream; false when the stream only broke or hung.
    pub fn is_corruption(&self) -> bool {
        matches!(self.what, What::Wrong { .. } | What::Extra { .. })
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {} {}, offset {}: ", self.pattern.connection, self.pattern.direction, self.offset)?;
        match &self.what {
            What::Wrong { expected, got, origin } => {
                write!(f, "expected {} got {}", hex(expected), hex(got))?;
                explain(f, self.pattern, self.offset, *origin)
            }
            What::EarlyEnd => write!(f, "the stream ended early"),
            What::Extra { got, origin } => {
                write!(f, "{} after the end of the stream", hex(got))?;
                explain(f, self.pattern, self.offset, *origin)
            }
            What::Stalled { doing } => write!(f, "hung in {doing}"),
            What::Failed { doing, error } => write!(f, "{doing} failed: {error}"),
        }
    }
}

fn explain(f: &mut fmt::Formatter<'_>, pattern: Pattern, offset: u64, origin: Option<Origin>) -> fmt::Result {
    match origin {
        None => write!(f, " (the bytes belong to no stream of ours)"),
        Some(o) if o.pattern != pattern => write!(
            f,
            " (CROSS-TALK: the bytes belong to connection {} {}, offset {})",
            o.pattern.connection, o.pattern.direction, o.offset
        ),
        Some(o) if o.offset < offset => {
            write!(f, " (REPEATED or late: the bytes belong {} earlier)", offset - o.offset)
        }
        Some(o) => write!(f, " (LOST or early: the bytes belong {} later)", o.offset - offset),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The faults of a whole exchange; shown with the first few only.
#[derive(Debug, Default)]
pub struct Faults(pub Vec<Fault>);

impl std::error::Error for Faults {}

impl Faults {
    /// `Ok` when there are none.
    pub fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let corrupt = self.0.iter().filter(|fault| fault.is_corruption()).count();
        write!(f, "{} faulty streams, {corrupt} of them with wrong bytes", self.0.len())?;
        // Wrong bytes first: a hang is often only what follows from them.
        let mut shown: Vec<&Fault> = self.0.iter().collect();
        shown.sort_by_key(|fault| !fault.is_corruption());
        for fault in shown.iter().take(5) {
            write!(f, "\n  {fault}")?;
        }
        if self.0.len() > 5 {
            write!(f, "\n  and {} more", self.0.len() - 5)?;
        }
        Ok(())
    }
}
