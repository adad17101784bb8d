//! Counting: messages and bytes by reason, connections by event. Per CPU, so no atomics.

use meshaccel_abi::redirect::{Event, Reason};

use crate::maps::{ma_counters, ma_events};

/// Counts a message of `bytes` under `reason`.
#[inline(always)]
pub fn message(reason: u32, bytes: u32) {
    if let Some(counter) = ma_counters.get_ptr_mut(reason) {
        // SAFETY: a value of this CPU; programs of one CPU do not run inside one another here.
        unsafe {
            (*counter).messages += 1;
            (*counter).bytes += u64::from(bytes);
        }
    }
}

/// Counts an event.
#[inline(always)]
pub fn event(event: Event) {
    if let Some(counter) = ma_events.get_ptr_mut(event as u32) {
        // SAFETY: as above.
        unsafe { *counter += 1 }
    }
}

/// The reason and event of a SOCKHASH update that failed with `error` (a negative errno).
#[inline(always)]
pub fn promotion_failed(error: i64) -> Reason {
    const E2BIG: i64 = -7;
    const EBUSY: i64 = -16;
    let (reason, failed) = match error {
        E2BIG => (Reason::SocketsFull, Event::SocketsFull),
        EBUSY => (Reason::InAnotherSockmap, Event::InAnotherSockmap),
        _ => (Reason::PromotionRefused, Event::PromotionRefused),
    };
    event(failed);
    reason
}
