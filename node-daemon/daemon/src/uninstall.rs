//! `uninstall`: takes everything away without losing a byte.

use std::process::ExitCode;
use std::time::Duration;

use meshaccel_bpf::pins::Pins;
use meshaccel_redirect::kernel::pinned::layouts;
use meshaccel_redirect::probe::remove_abandoned;
use meshaccel_redirect::retire::retire;

use crate::Error;

/// The command.
pub fn command(pins: &Pins, timeout: Duration) -> Result<ExitCode, Error> {
    remove_abandoned(pins)?;
    let found = layouts(pins)?;
    if found.is_empty() {
        pins.remove_root();
        println!("nothing to remove: nothing is pinned at {}", pins.root().display());
        return Ok(ExitCode::SUCCESS);
    }
    for layout in found {
        let removed = retire(&layout, timeout)?;
        println!(
            "removed {}: {} maps, links and programs; all connections go on over TCP",
            layout.folder().display(),
            removed.pins
        );
        if removed.unread > 0 {
            println!(
                "{} sockets still hold bytes that their application has not read; each keeps its program until it closes",
                removed.unread
            );
        }
    }
    pins.remove_root();
    Ok(ExitCode::SUCCESS)
}
