//! How many times slower than a real machine this one is. An emulated processor takes tens of times as long for everything,
//! so whoever starts programs there says so by `MESHACCEL_SLOWNESS`, and every deadline of the harness goes by it.

use std::sync::OnceLock;
use std::time::Duration;

/// The environment variable: a whole number.
pub const VARIABLE: &str = "MESHACCEL_SLOWNESS";

/// A deadline that was meant for a real machine.
pub fn scaled(limit: Duration) -> Duration {
    static FACTOR: OnceLock<u32> = OnceLock::new();
    let factor = || std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    limit.saturating_mul(*FACTOR.get_or_init(factor))
}
