//! Has receive calls wait for a socket that is to leave.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use meshaccel_bpf::sys::bpf;
use meshaccel_bpf::sys::trace::SystemCall;

/// The calls that receive, and may wait.
const GATED: [&str; 4] = ["read", "readv", "recvfrom", "recvmsg"];

/// The program that has calls wait which receive from a socket that is to leave. Not pinned: nobody is to leave without a daemon.
pub struct Gate {
    programs: [OwnedFd; 2],
    calls: Vec<SystemCall>,
}

impl Gate {
    /// From its twin programs.
    pub(super) fn new(programs: [OwnedFd; 2]) -> Self {
        // Without tracefs nobody's habits are seen, and no gate is asked for.
        let calls = GATED.iter().filter_map(|call| SystemCall::find(call).ok()).collect();
        Self { programs, calls }
    }

    /// The same for another thread.
    pub fn try_clone(&self) -> io::Result<Self> {
        let [one, other] = &self.programs;
        Ok(Self { programs: [one.try_clone()?, other.try_clone()?], calls: self.calls.clone() })
    }

    /// It is there for as long as the links are. `turn`: one more than the last time, since that one may not be gone yet.
    pub fn attach(&self, turn: usize) -> io::Result<Vec<OwnedFd>> {
        let program = &self.programs[turn % 2];
        self.calls.iter().map(|call| bpf::link_tracepoint(program.as_fd(), call.open()?.as_fd())).collect()
    }
}
