//! Counting calls by reason. Per CPU, so no atomics.

use meshaccel_abi::services::Reason;

use crate::maps::ma_svc_counters;

/// Counts a call.
#[inline(always)]
pub fn count(reason: Reason) {
    if let Some(counter) = ma_svc_counters.get_ptr_mut(reason as u32) {
        // SAFETY: a value of this CPU; programs that are preempted in between may lose one count, which is all that can happen.
        unsafe { *counter += 1 }
    }
}
