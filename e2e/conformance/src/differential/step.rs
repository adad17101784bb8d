//! One call of a program.

use crate::Who;
use crate::options::SocketOption;

/// What an end does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Send {
        who: Who,
        size: usize,
        flags: Flags,
    },
    WritePieces {
        who: Who,
        sizes: Vec<usize>,
    },
    SendMany {
        who: Who,
        sizes: Vec<usize>,
    },
    Receive {
        who: Who,
        size: usize,
        flags: Flags,
    },
    ReceivePieces {
        who: Who,
        sizes: Vec<usize>,
        flags: Flags,
    },
    ReceiveMany {
        who: Who,
        sizes: Vec<usize>,
    },
    /// Everything that is there.
    Drain {
        who: Who,
    },
    Poll {
        who: Who,
    },
    /// What the edge-triggered set that watches both ends says.
    Edge,
    /// What a fresh level-triggered set says.
    Level {
        who: Who,
    },
    /// FIONREAD.
    Count {
        who: Who,
    },
    AtMark {
        who: Who,
    },
    Set {
        who: Who,
        option: Chosen,
        value: i32,
    },
    Blocking {
        who: Who,
        blocking: bool,
    },
    SpliceOut {
        who: Who,
        size: usize,
    },
    SpliceInto {
        who: Who,
        size: usize,
    },
    SendFile {
        who: Who,
        size: usize,
    },
    Error {
        who: Who,
    },
    ShutDown {
        who: Who,
        how: i32,
    },
    Close {
        who: Who,
    },
    Reset {
        who: Who,
    },
}

/// An option by its place in [`super::generate::OPTIONS`], shown by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Chosen(pub usize);

impl Chosen {
    pub fn option(self) -> SocketOption {
        super::generate::OPTIONS[self.0].0
    }
}

impl std::fmt::Debug for Chosen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.option().name)
    }
}

/// Flags of a call, shown by their names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Flags(pub i32);

impl std::fmt::Debug for Flags {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&crate::names::flags(self.0))
    }
}
