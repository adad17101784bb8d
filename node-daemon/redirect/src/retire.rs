//! What `uninstall` does, and a new version with an older one: takes everything away without losing a byte.
//!
//! 1. Switch off: every sender passes its messages to TCP from now on.
//! 2. Wait a grace period: verdicts given before are carried out.
//! 3. Retire, again and again: a socket whose redirected queue is empty leaves the SOCKHASH. (One that is not would lose
//!    what is queued; its reader gets until the time-out.)
//! 4. Unpin. The kernel frees programs, links and maps when their last user is gone.
//!
//! A socket whose reader did not come by then keeps its program until it closes: it costs a little and loses nothing.
//!
//! It may be killed at any point. The switch is then off in the pins, though nobody asked for that; so before step 1 it is
//! written down beside it what the switch said, and the next installation [takes that back](take_back).

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use aya::maps::{Array, Map, MapData};
use meshaccel_abi::redirect::names;
use meshaccel_abi::redirect::policy::{NODE_SWITCH, SWITCH_OFF};
use meshaccel_bpf::pins::Layout;
use meshaccel_bpf::sys::bpf;

use crate::Error;
use crate::kernel::pinned::{remove, sock_ops_link};
use crate::kernel::rows;

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

/// Steps 1 to 4 for one layout, of this or any other version. A half-made layout (a daemon that died while it installed)
/// is simply unpinned: nothing can be promoted without all of it.
#[tracing::instrument(skip_all, fields(layout = layout.version))]
pub fn retire(layout: &Layout, timeout: Duration) -> Result<Removed, Error> {
    let mut removed = Removed::default();
    // A daemon that starts meanwhile must not take back what this is about to use.
    let _alone = layout.lock(true)?;
    if !layout.folder().exists() {
        return Ok(removed);
    }
    if switch_off(layout) && layout.path(names::RETIRE).exists() {
        // No new records from here on.
        let _ = std::fs::remove_file(sock_ops_link(layout));
        std::thread::sleep(GRACE);
        let start = Instant::now();
        loop {
            removed.unread = rows::retire(layout)?;
            if removed.unread == 0 || start.elapsed() >= timeout {
                break;
            }
            std::thread::sleep(BETWEEN_PASSES);
        }
    }
    removed.pins = remove(layout)?.len();
    Ok(removed)
}

/// By the one map whose format never changes.
fn switch_off(layout: &Layout) -> bool {
    let Some(mut switches) = numbers(layout, names::SWITCHES) else { return false };
    let Ok(before) = switches.get(&NODE_SWITCH, 0) else { return false };
    // One that is there is of an uninstall that was killed: what it found is what counts.
    let path = layout.path(names::RETIRING);
    if !path.exists() {
        let noted = bpf::number_map(names::RETIRING, before).and_then(|map| bpf::pin(map.as_fd(), &path));
        if let Err(error) = noted {
            tracing::warn!(path = %path.display(), %error, "Cannot note what the switch said; until this is over it must not be killed");
        }
    }
    switches.set(NODE_SWITCH, SWITCH_OFF, 0).is_ok() && bpf::open_pin(&layout.path(names::RETIRE)).is_ok()
}

/// What an uninstall that was killed has done to the switch; what a person has done to it stays. True: there was something
/// to take back. For who holds the layout's lock.
pub fn take_back(layout: &Layout) -> bool {
    let Some(noted) = numbers(layout, names::RETIRING) else { return false };
    let switches = numbers(layout, names::SWITCHES);
    if let (Ok(before), Some(mut switches)) = (noted.get(&0, 0), switches)
        && switches.set(NODE_SWITCH, before, 0).is_ok()
    {
        forget(layout);
        return true;
    }
    false
}

/// Somebody has said what the switch shall be: there is nothing to take back any more.
pub fn forget(layout: &Layout) {
    let _ = std::fs::remove_file(layout.path(names::RETIRING));
}

/// A pinned array of numbers.
fn numbers(layout: &Layout, name: &str) -> Option<Array<MapData, u64>> {
    let data = MapData::from_pin(layout.path(name)).ok()?;
    Array::try_from(Map::Array(data)).ok()
}
