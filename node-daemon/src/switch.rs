//! `off` and `on`: the run-time switch. Works on the pinned maps, with or without a daemon.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use meshaccel_abi::policy::{NODE_SWITCH, SWITCH_OFF, SWITCH_ON};
use nix::time::{ClockId, clock_gettime};

use crate::Error;
use crate::kernel::maps::Maps;
use crate::kernel::pins::{Layout, Pins};
use crate::uninstall;

/// Switches off, for ever or for a time.
pub fn off(pins: &Pins, pod: Option<&str>, duration: Option<Duration>) -> Result<ExitCode, Error> {
    let value = match duration {
        None => SWITCH_OFF,
        Some(duration) => monotonic()?.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)),
    };
    set(pins, pod, value)?;
    let scope = pod.map_or("this node".to_owned(), |pod| format!("pod {pod}"));
    match duration {
        None => println!("acceleration is off for {scope}"),
        Some(duration) => println!("acceleration is off for {scope}; it comes back by itself in {duration:?}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Switches on.
pub fn on(pins: &Pins, pod: Option<&str>) -> Result<ExitCode, Error> {
    set(pins, pod, SWITCH_ON)?;
    println!("acceleration is on for {}", pod.map_or("this node".to_owned(), |pod| format!("pod {pod}")));
    Ok(ExitCode::SUCCESS)
}

fn set(pins: &Pins, pod: Option<&str>, value: u64) -> Result<(), Error> {
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
        uninstall::forget(&layout);
    }
    Ok(())
}

/// The layout of this version, if it is installed.
pub fn installed(pins: &Pins) -> Result<Layout, Error> {
    let layout = pins.own();
    if layout.folder().exists() { Ok(layout) } else { Err(Error::NotInstalled { path: pins.root().to_owned() }) }
}

/// The kernel's `bpf_ktime_get_ns`: CLOCK_MONOTONIC in ns.
pub fn monotonic() -> Result<u64, Error> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_err(|errno| Error::Clock(io::Error::from(errno)))?;
    Ok(u64::try_from(now.tv_sec()).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec()).unwrap_or(0))
}
