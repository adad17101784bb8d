//! The run-time switches.

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use meshaccel_abi::redirect::policy::SWITCH_ON;

use crate::maps::ma_switches;

/// Off until a time, or for ever. The clock is only read while somebody has switched off; when the time has come it is
/// on again, whether or not a daemon runs.
#[inline(always)]
pub fn is_off(index: u32) -> bool {
    match ma_switches.get(index) {
        None => true,
        Some(&SWITCH_ON) => false,
        // SAFETY: no arguments.
        Some(&until) => unsafe { bpf_ktime_get_ns() < until },
    }
}
