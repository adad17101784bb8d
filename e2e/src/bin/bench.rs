//! `meshaccel-bench`: plain and accelerated in turns, for several kinds of load. Run it on a machine that does nothing
//! else.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use meshaccel_e2e::bench::{self, Settings};
use meshaccel_e2e::load::pingpong::{self, Manner};

/// Measures plain TCP and meshaccel in turns.
#[derive(Debug, Parser)]
struct Args {
    /// Measured windows of each kind and load
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Length of one window in seconds
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// Only loads whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Fail when a load with a goal does not reach it
    #[arg(long)]
    goals: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

/// Parts of a load that run in a pod, started by the benchmark itself.
#[derive(Debug, Subcommand)]
enum Part {
    #[command(hide = true)]
    PingpongServer { manner: Manner },
    #[command(hide = true)]
    PingpongClient { seconds: u32, manner: Manner },
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
    match args.part {
        None => {
            bench::run(&Settings { rounds: args.rounds, seconds: args.seconds, only: args.only, goals: args.goals })
        }
        Some(Part::PingpongServer { manner }) => pingpong::serve(manner),
        Some(Part::PingpongClient { seconds, manner }) => {
            println!("{}", serde_json::to_string(&pingpong::drive(seconds, manner)?)?);
            Ok(())
        }
    }
}
