//! `meshaccel-demo`: see [`meshaccel_bench::demo`].

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use meshaccel_bench::demo::{self, Settings};

/// Shows two real pods with Envoy sidecars with and without meshaccel, and leaves nothing behind.
#[derive(Debug, Parser)]
struct Args {
    /// Measured windows of each kind, plain and accelerated in turns
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Length of one window in seconds
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Directory for the pictures
    #[arg(long, default_value = "demo-out")]
    output: PathBuf,
}

fn main() -> ExitCode {
    let Args { rounds, seconds, output } = Args::parse();
    match demo::run(&Settings { rounds, seconds, output }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
