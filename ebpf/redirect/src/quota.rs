//! How many records each pod has (`meshaccel_abi::redirect::records`), and whether it may have one more.

use core::ptr::read_volatile;

use meshaccel_abi::redirect::records::{CAPACITY, NODE, of};
use meshaccel_decide::redirect::quota;

use crate::barrier::add;
use crate::maps::ma_records;

/// May the pod in `slot` have one more?
#[inline(always)]
pub fn admits(slot: u32) -> bool {
    quota::admits(number(of(slot)), number(NODE), number(CAPACITY))
}

/// It has one more.
#[inline(always)]
pub fn more(slot: u32) {
    change(slot, 1);
}

/// It has one less.
#[inline(always)]
pub fn less(slot: u32) {
    change(slot, u64::MAX);
}

#[inline(always)]
fn number(index: u32) -> u64 {
    // SAFETY: a value of the map, to which others may add meanwhile.
    ma_records.get_ptr(index).map_or(0, |number| unsafe { read_volatile(number) })
}

#[inline(always)]
fn change(slot: u32, by: u64) {
    for index in [of(slot), NODE] {
        if let Some(number) = ma_records.get_ptr_mut(index) {
            add(number, by);
        }
    }
}
