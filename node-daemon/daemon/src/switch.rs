//! `off` and `on`: the run-time switch.

use std::process::ExitCode;
use std::time::Duration;

use meshaccel_abi::redirect::policy::{SWITCH_OFF, SWITCH_ON};
use meshaccel_bpf::pins::Pins;
use meshaccel_redirect::switch::{monotonic, set};

use crate::Error;

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
