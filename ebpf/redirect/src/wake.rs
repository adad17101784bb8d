//! Wakes the daemon when there is something to visit: once until its next scan, however many sockets there are. Nobody polls
//! while nothing happens, and nobody waits for the end of a pause.

use crate::maps::{ma_awake, ma_wake};
use core::ptr::{read_volatile, write_volatile};

/// Should it fail (no memory, nobody reads), the next scan comes all the same, only later.
#[inline(always)]
pub fn wake() {
    let Some(awake) = ma_awake.get_ptr_mut(0) else { return };
    // SAFETY: a value of the map. Two who write at once wake twice.
    unsafe {
        if read_volatile(awake) != 0 {
            return;
        }
        write_volatile(awake, 1);
    }
    let _ = ma_wake.output(1u64, 0);
}
