//! What the daemon tells about itself: written by the loop, read by the admin endpoint.

use std::sync::{Arc, Mutex, MutexGuard};

use serde::Serialize;

use crate::kernel::visits::SlotTally;
use crate::node::PodStatus;
use crate::probe::Capabilities;
use crate::source::Problem;

/// One consistent state.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Version of this binary.
    pub version: &'static str,
    /// Version of the pinned maps.
    pub layout: u32,
    /// Compiler of the kernel programs.
    pub programs_built_with: &'static str,
    /// Kernel release, as uname(2) gives it.
    pub kernel: String,
    /// The programs run.
    pub ready: bool,
    /// Selected and skipped pods.
    pub pods: Vec<PodStatus>,
    /// What is wrong with the objects.
    pub problems: Vec<Problem>,
    /// What the self-test of this kernel found.
    pub capabilities: Option<Capabilities>,
    /// Sockets as of the last review.
    pub connections: SlotTally,
    /// For how long the API server has not answered, in s; goes by what was known then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_of_touch_s: Option<u64>,
    /// How long the last review of all connections took, in µs.
    pub last_review_us: u64,
}

/// The status, shared. A std mutex: it is held for a copy, never across an await.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Mutex<Status>>);

impl Shared {
    /// Before anything runs.
    pub fn new() -> Self {
        let kernel =
            nix::sys::utsname::uname().map_or_else(|_| "unknown".into(), |u| u.release().to_string_lossy().into());
        Self(Arc::new(Mutex::new(Status {
            version: env!("CARGO_PKG_VERSION"),
            layout: meshaccel_abi::LAYOUT,
            programs_built_with: meshaccel_object::BUILT_WITH,
            kernel,
            ready: false,
            pods: Vec::new(),
            problems: Vec::new(),
            capabilities: None,
            connections: SlotTally::default(),
            out_of_touch_s: None,
            last_review_us: 0,
        })))
    }

    /// A copy.
    pub fn get(&self) -> Status {
        self.lock().clone()
    }

    /// Changes it.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        // Whoever panicked while it was held had written plain values: they are still good to show.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self::new()
    }
}
