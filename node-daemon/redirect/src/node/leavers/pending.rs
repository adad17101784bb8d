//! Which sockets are to leave, and when each is tried next.

use std::collections::HashMap;
use std::time::Instant;

use aya::maps::{MapData, RingBuf};
use meshaccel_abi::redirect::{EndId, SocketMark};
use meshaccel_model::NetnsCookie;

/// Held for a moment only, never while a program runs: the thread that has it may be on the processor of somebody who waits
/// there for the other thread.
pub struct State {
    pub ring: RingBuf<MapData>,
    pub pending: HashMap<EndId, Pending>,
}

impl State {
    /// Those whose time has come, and those that are asked for now: somebody waits for them, perhaps for the second time.
    pub fn take_due(&mut self, now: Instant) -> Vec<Pending> {
        while let Some(mark) = self.ring.next() {
            let Ok(mark) = bytemuck::try_pod_read_unaligned::<SocketMark>(&mark) else { continue };
            let (id, netns) = (mark.id, NetnsCookie(mark.netns_cookie));
            let new = Pending { id, netns, attempts: 0, gates: false, first: now, due: now };
            self.pending.entry(id).or_insert(new).due = now;
        }
        let due: Vec<_> = self.pending.values().filter(|one| one.due <= now).copied().collect();
        for one in &due {
            self.pending.remove(&one.id);
        }
        due
    }

    /// To be tried again. Gives when the next of all is due, and whether one of them needs the gate. One that was asked for
    /// meanwhile is as it is then.
    pub fn put_back(&mut self, again: Vec<Pending>) -> (Option<Instant>, bool) {
        for one in again {
            self.pending.entry(one.id).or_insert(one);
        }
        (self.pending.values().map(|one| one.due).min(), self.pending.values().any(|one| one.gates))
    }
}

/// A socket that is to leave.
#[derive(Clone, Copy)]
pub struct Pending {
    pub id: EndId,
    pub netns: NetnsCookie,
    pub attempts: u32,
    pub gates: bool,
    pub first: Instant,
    pub due: Instant,
}
