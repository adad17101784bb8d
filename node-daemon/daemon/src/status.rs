//! What the daemon tells about itself: written by the loop, read by the admin endpoint.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use meshaccel_model::Problem;
use meshaccel_redirect::node::PodStatus;
use meshaccel_redirect::pods::SlotTally;
use meshaccel_redirect::probe::{Capabilities, Unsupported};
use serde::Serialize;

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
    /// The programs run, or cannot run on this machine and never did.
    pub ready: bool,
    /// Selected and skipped pods.
    pub pods: Vec<PodStatus>,
    /// What is wrong with the objects.
    pub problems: Vec<Problem>,
    /// What the self-test of this kernel found.
    pub capabilities: Option<Capabilities>,
    /// Why nothing can be accelerated here.
    pub unsupported: Option<Unsupported>,
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
pub struct Shared(Arc<Mutex<Known>>);

#[derive(Debug)]
struct Known {
    status: Status,
    /// When the daemon's loop last turned.
    turned: Instant,
}

impl Shared {
    /// Before anything runs.
    pub fn new() -> Self {
        let status = Status {
            version: env!("CARGO_PKG_VERSION"),
            layout: meshaccel_abi::redirect::LAYOUT,
            programs_built_with: meshaccel_redirect::kernel::programs::BUILT_WITH,
            kernel: meshaccel_bpf::sys::kernel_release(),
            ready: false,
            pods: Vec::new(),
            problems: Vec::new(),
            capabilities: None,
            unsupported: None,
            connections: SlotTally::default(),
            out_of_touch_s: None,
            last_review_us: 0,
        };
        Self(Arc::new(Mutex::new(Known { status, turned: Instant::now() })))
    }

    /// A copy.
    pub fn get(&self) -> Status {
        self.lock().status.clone()
    }

    /// Changes it.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.lock().status);
    }

    /// The daemon's loop has turned.
    pub fn turned(&self) {
        self.lock().turned = Instant::now();
    }

    /// For how long it has not.
    pub fn still_for(&self) -> Duration {
        self.lock().turned.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Whoever panicked while it was held had written plain values: they are still good to show.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self::new()
    }
}
