//! `probe`: what was found, as a table or as JSON.

use std::path::Path;
use std::process::ExitCode;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use meshaccel_bpf::btf::Btf;
use meshaccel_bpf::pins::Pins;
use meshaccel_bpf::sys::files;
use meshaccel_redirect::kernel::offsets;
use meshaccel_redirect::kernel::programs::Without;
use meshaccel_redirect::probe::{Capabilities, Surroundings, Unsupported, cgroup, run};
use serde::Serialize;

use crate::Error;
use crate::args::Output;

/// The command. Where nothing can be accelerated it says so in one sentence, and fails.
pub fn command(pins: &Pins, output: Output) -> Result<ExitCode, Error> {
    let found = try_everything(pins).map_err(|error| Unsupported::explain(&error, &Surroundings::observe()));
    if output == Output::Json {
        #[derive(Serialize)]
        struct Report<'a> {
            /// Why nothing can be accelerated here; the other fields are absent then.
            unsupported: Option<&'a Unsupported>,
            #[serde(flatten)]
            capabilities: Option<&'a Capabilities>,
        }
        let report = Report { unsupported: found.as_ref().err(), capabilities: found.as_ref().ok() };
        println!("{}", serde_json::to_string_pretty(&report).unwrap_or_default());
        return Ok(if found.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let capabilities = found?;
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["", "WHAT", "SEEN", "CONSEQUENCE"]);
    for finding in &capabilities.findings {
        let mark = if finding.works { "yes" } else { "no" };
        table.add_row([mark, finding.what, &finding.seen, finding.consequence]);
    }
    println!("{}", table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n"));
    Ok(ExitCode::SUCCESS)
}

fn try_everything(pins: &Pins) -> Result<Capabilities, meshaccel_redirect::Error> {
    let cgroup = cgroup(Path::new(files::CGROUPS))?;
    let btf = Btf::of_kernel()?;
    run(pins, &cgroup, &offsets::find(&btf)?, Without::default())
}
