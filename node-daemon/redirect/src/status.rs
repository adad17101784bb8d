//! What this capability tells about itself: written by the daemon's loop, read by who asks.

use meshaccel_model::Problem;
use serde::Serialize;

use crate::node::PodStatus;
use crate::pods::SlotTally;
use crate::probe::{Capabilities, Unsupported};

/// One consistent state.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    /// Selected and skipped pods.
    pub pods: Vec<PodStatus>,
    /// What is wrong with the objects.
    pub problems: Vec<Problem>,
    /// What the self-test of this kernel found.
    pub capabilities: Option<Capabilities>,
    /// Why nothing can be accelerated here.
    pub unsupported: Option<Unsupported>,
    /// Sockets as of the last full resync.
    pub connections: SlotTally,
    /// How long the last full resync of all connections took, in µs.
    pub last_resync_us: u64,
}
