//! `connections`: every recorded socket, the path it takes, and the reason when it is not redirected.
//!
//! Reads the pins alone, so it needs no daemon.

mod table;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use meshaccel_bpf::pins::Pins;
use meshaccel_redirect::connections::rows;
use meshaccel_redirect::switch::installed;

use crate::Error;
use crate::args::Output;

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
