//! How many records there are: of each pod, and of all. Records are what a pod can have many of (for each a socket's storage,
//! perhaps an entry of the SOCKHASH, perhaps a mark), so they are what a pod has a quota of: `meshaccel_decide::quota`.
//!
//! An array of numbers, to which the programs add atomically.

use crate::redirect::policy::MAX_PODS;

/// All pods' together.
pub const NODE: u32 = 0;
/// How many there may be at all; the daemon writes it.
pub const CAPACITY: u32 = 1;
/// Numbers in the array.
pub const NUMBERS: u32 = of(MAX_PODS);

/// A pod's, by its slot.
pub const fn of(slot: u32) -> u32 {
    2 + slot
}
