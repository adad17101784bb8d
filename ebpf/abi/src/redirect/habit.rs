//! What the applications of a pod were seen to do with their sockets that the redirected queue does not serve, kept for each
//! port, so that the next connection of that port starts right.

use bytemuck::{Pod, Zeroable};

/// Reads with splice(2), which sees TCP's queue only.
pub const SPLICES: u32 = 1;
/// Asks how many bytes wait (FIONREAD, SIOCINQ).
pub const ASKS: u32 = 1 << 1;
/// Turns O_NONBLOCK off on an open connection, as servers do that wait with a selector and then serve with blocking calls.
pub const TOGGLES: u32 = 1 << 2;
/// Calls recv with MSG_TRUNC or MSG_OOB, or for no bytes at all: what the redirected queue gives then is not what TCP gives. Seen
/// where there is fentry; where there is not, nobody is suspected of it.
pub const READS_ODDLY: u32 = 1 << 3;
/// All that follows must be known of a reader before anything is redirected to it.
pub const ALL: u32 = SPLICES | ASKS | TOGGLES;

/// Ports whose habits are kept for one pod. One that has more is taken to have them at every port: no pod can push another's
/// out.
pub const PORTS_OF_A_POD: u32 = 128;
/// Of all pods of the node.
pub const MAX_HABITS: u32 = 65_536;

/// Habits of a pod as a whole. By slot.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct PodHabits {
    /// How often something was added for its ports: senders look again when it has changed.
    pub changes: u64,
    /// Ports of this pod in the table.
    pub ports: u32,
    /// Habits that hold for every port, since the table took no more.
    pub everywhere: u32,
}
