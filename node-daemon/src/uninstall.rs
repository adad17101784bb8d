//! `uninstall`, and what a new version does with an older one: takes everything away without losing a byte.
//!
//! 1. Switch off: every sender passes its messages to TCP from now on.
//! 2. Wait a grace period: verdicts given before are carried out.
//! 3. Retire, again and again: a socket whose redirected queue is empty leaves the SOCKHASH. (One that is not would lose
//!    what is queued; its reader gets until the time-out.)
//! 4. Unpin. The kernel frees programs, links and maps when their last user is gone.
//!
//! A socket whose reader did not come by then keeps its program until it closes: it costs a little and loses nothing.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use meshaccel_abi::names;
use meshaccel_abi::policy::{NODE_SWITCH, SWITCH_OFF};

use crate::Error;
use crate::kernel::passes;
use crate::kernel::pins::{Layout, Pins};
use crate::probe;
use crate::sys::bpf;

/// Step 2. Between a verdict and the receiver's queue lie microseconds, and the receiver's socket lock.
const GRACE: Duration = Duration::from_millis(500);
const BETWEEN_PASSES: Duration = Duration::from_millis(100);

/// What was removed.
#[derive(Debug, Default)]
pub struct Removed {
    /// Pins.
    pub pins: usize,
    /// Sockets whose reader did not come in time.
    pub unread: u64,
}

/// The command.
pub fn command(pins: &Pins, timeout: Duration) -> Result<ExitCode, Error> {
    probe::remove_abandoned(pins)?;
    let layouts = pins.layouts()?;
    if layouts.is_empty() {
        pins.remove_root();
        println!("nothing to remove: nothing is pinned at {}", pins.root().display());
        return Ok(ExitCode::SUCCESS);
    }
    for layout in layouts {
        let removed = retire(&layout, timeout)?;
        println!(
            "removed {}: {} maps, links and programs; all connections go on over TCP",
            layout.folder().display(),
            removed.pins
        );
        if removed.unread > 0 {
            println!(
                "{} sockets still hold bytes that their application has not read; each keeps its program until it closes",
                removed.unread
            );
        }
    }
    pins.remove_root();
    Ok(ExitCode::SUCCESS)
}

/// Steps 1 to 4 for one layout, of this or any other version. A half-made layout (a daemon that died while it installed)
/// is simply unpinned: nothing can be promoted without all of it.
pub fn retire(layout: &Layout, timeout: Duration) -> Result<Removed, Error> {
    let mut removed = Removed::default();
    if switch_off(layout) && layout.path(names::RETIRE).exists() {
        // No new records from here on.
        let _ = std::fs::remove_file(layout.sock_ops_link());
        std::thread::sleep(GRACE);
        let start = Instant::now();
        loop {
            removed.unread = passes::retire(layout)?;
            if removed.unread == 0 || start.elapsed() >= timeout {
                break;
            }
            std::thread::sleep(BETWEEN_PASSES);
        }
    }
    removed.pins = layout.remove()?.len();
    Ok(removed)
}

/// By the one map whose format never changes.
fn switch_off(layout: &Layout) -> bool {
    use aya::maps::{Array, Map, MapData};
    let Ok(data) = MapData::from_pin(layout.path(names::SWITCHES)) else { return false };
    let Ok(mut switches) = Array::<MapData, u64>::try_from(Map::Array(data)) else { return false };
    switches.set(NODE_SWITCH, SWITCH_OFF, 0).is_ok() && bpf::open_pin(&layout.path(names::RETIRE)).is_ok()
}
