//! What the daemon tells about itself, beside what its capabilities do: written by the loop, read by the admin endpoint.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde::Serialize;

/// One consistent state.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Version of this binary.
    pub version: &'static str,
    /// Kernel release, as uname(2) gives it.
    pub kernel: String,
    /// The programs run, or cannot run on this machine and never did.
    pub ready: bool,
    /// For how long the API server has not answered, in s; goes by what was known then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_of_touch_s: Option<u64>,
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
            kernel: meshaccel_bpf::sys::kernel_release(),
            ready: false,
            out_of_touch_s: None,
        };
        Self(Arc::new(Mutex::new(Known { status, turned: Instant::now() })))
    }

    /// A copy.
    pub fn get(&self) -> Status {
        self.lock().status.clone()
    }

    /// The programs run, or cannot run on this machine and never did.
    pub fn is_ready(&self) -> bool {
        self.lock().status.ready
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
