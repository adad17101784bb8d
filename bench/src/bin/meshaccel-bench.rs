//! `meshaccel-bench`: see [`meshaccel_bench::benchmark`].

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use meshaccel_bench::benchmark::catalogue::Site;
use meshaccel_bench::benchmark::{self, Settings};
use meshaccel_e2e_load::pattern::Task;
use meshaccel_e2e_load::{client, exchange, server};

/// Measures meshaccel against plain TCP, and beside it the published sockmap design and Unix sockets.
///
/// In every round the windows of all variants follow right after one another, in an order that rotates. Ratios are
/// medians over rounds. Goals are printed, never enforced. Every byte is checked where this program itself is at both
/// ends; a wrong one ends the run (of the published design, which has no guards, its row only says so).
///
/// Run it on a machine that does nothing else.
#[derive(Debug, Parser)]
#[command(name = "meshaccel-bench", version)]
struct Args {
    /// Windows of each variant and row; fewer than 7 say little
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Length of one window in seconds
    #[arg(long, default_value_t = 0.8)]
    seconds: f64,
    /// Only rows whose id begins so, e.g. pair/ask; a whole id is that row alone (see --list)
    #[arg(long, default_value = "", value_name = "PREFIX")]
    only: String,
    /// Give the two processes of a pair a processor each instead of one together: more like a pod, and noisier
    #[arg(long)]
    apart: bool,
    /// Instead of all this: through the sidecars of a real Istio, in a cluster of its own (needs `scripts/setup.sh
    /// cluster istio` and the images)
    #[arg(long)]
    istio: bool,
    /// Write everything that was measured to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw everything that was measured: PNG, or SVG when the name ends so
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Name the rows and do nothing
    #[arg(long)]
    list: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

/// The two processes of a load, started by the benchmark itself.
#[derive(Debug, Subcommand)]
enum Part {
    #[command(hide = true, name = exchange::SERVER)]
    Server { task: String },
    #[command(hide = true, name = exchange::CLIENT)]
    Client { task: String },
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<()> {
    let site = if args.istio { Site::Istio } else { Site::Machine };
    let read = |task: &str| -> Result<Task> { Ok(serde_json::from_str(task)?) };
    match args.part {
        Some(Part::Server { task }) => server::serve(&read(&task)?),
        Some(Part::Client { task }) => client::drive(&read(&task)?),
        None if args.list => {
            for row in benchmark::catalogue::rows(site, &args.only) {
                println!("{:<28} {}: {}", row.id, row.group(), row.label);
            }
            Ok(())
        }
        None => {
            let Args { rounds, seconds, only, apart, json, plot, .. } = args;
            benchmark::run(&Settings { site, rounds, seconds, only, apart, json, plot })
        }
    }
}
