//! `meshaccel-scale`: see [`meshaccel_bench::scale`].

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use meshaccel_bench::scale::{self, Settings};

/// Measures the operator in simulated clusters, and the daemon on a node whose pods change all the time.
///
/// API server, etcd, operator and daemon are real; nodes are objects whose reports this program writes. Goals are printed,
/// never enforced. Run it on a machine that does nothing else.
#[derive(Debug, Parser)]
#[command(name = "meshaccel-scale", version)]
struct Args {
    /// Sizes of clusters in nodes
    #[arg(long, value_delimiter = ',', default_value = "1000,5000", env = "MESHACCEL_SCALE_NODES", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    nodes: Vec<u32>,
    /// MeshAccelerations, each of which names every node
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    objects: u32,
    /// Pods of a node
    #[arg(long, default_value_t = 30)]
    pods_a_node: usize,
    /// Seconds between two reports of a node
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=140))]
    every: u64,
    /// Seconds of each steady window
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u64).range(5..))]
    seconds: u64,
    /// Pods of the busy node; 0: leave it out
    #[arg(long, default_value_t = 250)]
    busy_pods: usize,
    /// What happens to the pods of the busy node, a minute
    #[arg(long, default_value_t = 10_000)]
    events: u32,
    /// Only the busy node
    #[arg(long)]
    only_busy: bool,
    /// Write everything that was measured to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw it: PNG, or SVG when the name ends so
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let nodes = if args.only_busy { Vec::new() } else { args.nodes.iter().map(|&nodes| nodes as usize).collect() };
    let settings = Settings {
        nodes,
        objects: args.objects as usize,
        pods_a_node: args.pods_a_node,
        every: Duration::from_secs(args.every),
        steady: Duration::from_secs(args.seconds),
        busy_pods: args.busy_pods,
        events: args.events,
        json: args.json,
        plot: args.plot,
    };
    match scale::run(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
