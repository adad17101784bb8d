//! The run-time switch: of the node, and of each pod. Works on the pinned maps, with or without a daemon.

use std::io;

use meshaccel_abi::redirect::policy::NODE_SWITCH;
use meshaccel_bpf::pins::{Layout, Pins};
use nix::time::{ClockId, clock_gettime};

use crate::kernel::maps::Maps;
use crate::kernel::pinned::column;
use crate::{Error, retire};

/// Sets the switch of the node, or of one pod (`namespace/name`), to [`SWITCH_ON`](meshaccel_abi::redirect::policy::SWITCH_ON),
/// [`SWITCH_OFF`](meshaccel_abi::redirect::policy::SWITCH_OFF), or off until a time of [`monotonic`].
///
/// # Errors
/// When nothing is installed, the pod is not selected, or the maps cannot be had.
pub fn set(pins: &Pins, pod: Option<&str>, value: u64) -> Result<(), Error> {
    let layout = installed(pins)?;
    let mut maps = Maps::open(&layout)?;
    let index = match pod {
        None => NODE_SWITCH,
        Some(name) => {
            let pods = maps.pods()?;
            let found = pods.iter().find(|known| known.pod.to_string() == name);
            let Some(found) = found else {
                let mut selected: Vec<_> = pods.iter().map(|pod| pod.pod.to_string()).collect();
                selected.sort_unstable();
                let selected = if selected.is_empty() { "none".to_owned() } else { selected.join(", ") };
                return Err(Error::NoPod { pod: name.to_owned(), selected });
            };
            Maps::pod_switch(found.slot)
        }
    };
    maps.set_switch(index, value)?;
    if index == NODE_SWITCH {
        retire::forget(&layout);
    }
    Ok(())
}

/// The layout of this version, if it is installed.
pub fn installed(pins: &Pins) -> Result<Layout, Error> {
    let layout = column(pins).own();
    if layout.folder().exists() { Ok(layout) } else { Err(Error::NotInstalled { path: pins.root().to_owned() }) }
}

/// The kernel's `bpf_ktime_get_ns`: CLOCK_MONOTONIC in ns.
pub fn monotonic() -> Result<u64, Error> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_err(|errno| Error::Clock(io::Error::from(errno)))?;
    Ok(u64::try_from(now.tv_sec()).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec()).unwrap_or(0))
}
