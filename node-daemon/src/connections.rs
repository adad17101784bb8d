//! `connections`: every recorded socket, the path it takes, and the reason when it is not redirected.
//!
//! Reads the pins alone, so it needs no daemon. [`row`] turns what the kernel wrote into what people read (pure).

pub mod row;
mod table;

use std::collections::HashMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use meshaccel_abi::policy::{NODE_SWITCH, SWITCH_ON};

use crate::Error;
use crate::args::Output;
use crate::kernel::maps::Maps;
use crate::kernel::passes;
use crate::kernel::pins::{Layout, Pins};
use crate::switch::{installed, monotonic};
use row::{Row, Standing};

const REFRESH: Duration = Duration::from_secs(2);

/// The command.
pub fn command(pins: &Pins, output: Output, watch: bool) -> Result<ExitCode, Error> {
    let layout = installed(pins)?;
    loop {
        let rows = rows(&layout)?;
        let text = match output {
            Output::Json => serde_json::to_string_pretty(&rows).unwrap_or_default(),
            Output::Table => table::narrow(&rows),
            Output::Wide => table::wide(&rows),
        };
        if watch {
            // Clear the screen and go home, as watch(1) does.
            print!("\x1b[2J\x1b[H");
        }
        // A reader that went away (`| head`) is no error.
        if writeln!(std::io::stdout(), "{text}").is_err() || !watch {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(REFRESH);
    }
}

/// All rows, pods in order.
pub fn rows(layout: &Layout) -> Result<Vec<Row>, Error> {
    let maps = Maps::open(layout)?;
    let now = monotonic()?;
    let is_off = |value: u64| value != SWITCH_ON && now < value;
    let node_off = is_off(maps.switch(NODE_SWITCH)?);
    let mut pods = HashMap::new();
    for pod in maps.pods()? {
        let off = is_off(maps.switch(Maps::pod_switch(pod.slot))?);
        pods.insert(pod.slot.0, (pod, off));
    }
    let standing = |slot: u32, netns_cookie: u64| match pods.get(&slot) {
        Some((pod, off)) if pod.cookie.0 == netns_cookie => Standing { pod: Some(pod.pod.clone()), off: *off },
        _ => Standing { pod: None, off: false },
    };
    let mut rows = Vec::new();
    passes::list(layout, |raw| rows.push(Row::new(raw, node_off, standing)))?;
    // Records of a released pod's sockets stay until those close; on plain TCP, they are nobody's business here.
    rows.retain(|row| row.promoted || row.pod != row::NOT_SELECTED);
    rows.sort_by(|a, b| (&a.pod, &a.local, &a.remote).cmp(&(&b.pod, &b.local, &b.remote)));
    Ok(rows)
}
