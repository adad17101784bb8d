//! `make bench`: several kinds of load, each plain and accelerated in turns, with the goals that the project has set
//! itself. Every row is a median of rounds; a failed request ends the run.

use anyhow::{Result, bail};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use crate::daemon::Daemon;
use crate::demo::prerequisites;
use crate::interrupt;
use crate::load::compare;
use crate::load::pingpong::{self, Commands, Manner};
use crate::load::sample::Sample;
use crate::manifest::{Manifests, Promotion, accelerate_everything, pod};
use crate::mesh::interception::Provider;
use crate::mesh::{Mesh, accelerate, ports, servers};
use crate::report::words;

/// What to run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Windows of each kind for each load.
    pub rounds: u32,
    /// Length of one window.
    pub seconds: u32,
    /// Part of a load's name; empty: all.
    pub only: String,
    /// Whether a goal that is missed is an error.
    pub goals: bool,
}

/// What a load must reach: at least this ratio of requests, at most this ratio of CPU for each.
#[derive(Debug, Clone, Copy)]
struct Goal {
    rate: f64,
    cpu: f64,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A path of nginx through both sidecars, with this many connections.
    Http(Provider, &'static str, u32),
    /// 64 bytes between two processes of one pod, no proxy.
    PingPong(Manner, Promotion),
}

struct Load {
    name: &'static str,
    kind: Kind,
    goal: Option<Goal>,
}

const LOADS: [Load; 6] = [
    Load {
        name: "http istio small c=16",
        kind: Kind::Http(Provider::Istio, "small", 16),
        goal: Some(Goal { rate: 1.3, cpu: 0.8 }),
    },
    Load { name: "http istio small c=1", kind: Kind::Http(Provider::Istio, "small", 1), goal: None },
    Load { name: "http istio 64k c=16", kind: Kind::Http(Provider::Istio, "64k", 16), goal: None },
    Load { name: "http linkerd small c=16", kind: Kind::Http(Provider::Linkerd, "small", 16), goal: None },
    Load {
        name: "pingpong 64 B, poll",
        kind: Kind::PingPong(Manner::Poll, Promotion::Auto),
        goal: Some(Goal { rate: 1.6, cpu: f64::INFINITY }),
    },
    // Only Eager redirects to blocking descriptors.
    Load {
        name: "pingpong 64 B, blocking, Eager",
        kind: Kind::PingPong(Manner::Block, Promotion::Eager),
        goal: Some(Goal { rate: 1.6, cpu: f64::INFINITY }),
    },
];

/// Subcommands of the binary.
const PINGPONG: Commands = Commands { serve: "pingpong-server", drive: "pingpong-client" };

/// Measures every load and prints one table.
pub fn run(settings: &Settings) -> Result<()> {
    prerequisites::check()?;
    interrupt::becomes_error()?;
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "load",
        "plain/s",
        "meshaccel/s",
        "ratio",
        "range",
        "CPU plain",
        "CPU",
        "ratio",
        "p99 ratio",
        "goal",
    ]);
    let mut missed = Vec::new();
    for load in LOADS.iter().filter(|load| load.name.contains(&settings.only)) {
        println!("{} ...", load.name);
        let rounds = measure(load.kind, settings)?;
        let (Some(plain), Some(fast)) = (Sample::median(&rounds.plain), Sample::median(&rounds.accelerated)) else {
            bail!("no rounds");
        };
        let (rate, cpu) = (rounds.ratio(|s| s.requests_per_second), rounds.ratio(|s| s.cpu_us));
        let reached = load.goal.map(|goal| rate >= goal.rate && cpu <= goal.cpu);
        if reached == Some(false) {
            missed.push(load.name);
        }
        table.add_row([
            load.name.to_owned(),
            words::thousands(plain.requests_per_second),
            words::thousands(fast.requests_per_second),
            words::ratio(rate),
            range(&rounds),
            words::duration(plain.cpu_us),
            words::duration(fast.cpu_us),
            words::ratio(cpu),
            words::ratio(rounds.ratio(|s| s.p99_us)),
            reached.map_or("", |reached| if reached { "reached" } else { "missed" }).to_owned(),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    println!(
        "Ratios are medians over rounds (a plain window and the accelerated one beside it); range is their lowest and \
         highest. CPU is the busy time of the whole machine for one request."
    );
    if settings.goals && !missed.is_empty() {
        bail!("goal missed: {}", missed.join(", "));
    }
    Ok(())
}

/// The smallest and the largest ratio of a plain window and the accelerated window of the same round.
fn range(rounds: &compare::Comparison) -> String {
    let (low, high) = rounds
        .ratios(|s| s.requests_per_second)
        .fold((f64::INFINITY, 0.0f64), |(low, high), r| (low.min(r), high.max(r)));
    format!("{low:.2}-{high:.2}")
}

fn measure(kind: Kind, settings: &Settings) -> Result<compare::Comparison> {
    let seconds = settings.seconds;
    let print = |side: &str, sample: &Sample| {
        let rate = words::thousands(sample.requests_per_second);
        println!("  {side}: {rate:>7} requests/s, {} CPU each", words::duration(sample.cpu_us));
    };
    match kind {
        Kind::Http(provider, path, connections) => {
            let mesh = Mesh::start(provider, 2)?;
            let _nginx = servers::nginx(mesh.server())?;
            let url = format!("http://{}:{}/{path}", mesh.server().v4(), ports::HTTP1);
            // The first requests of a new Envoy are slower than all others.
            Sample::take(mesh.client(), &url, connections, 2)?;
            let start = || accelerate::start(&mesh, Promotion::Auto);
            let window = || Sample::take(mesh.client(), &url, connections, seconds);
            compare::in_turns(settings.rounds, None, start, window, print)
        }
        Kind::PingPong(manner, promotion) => {
            let mesh = Mesh::start(Provider::Istio, 1)?;
            let _server = pingpong::start_server(mesh.client(), PINGPONG, manner)?;
            let start = || {
                let namespace = accelerate::NAMESPACE;
                let pods = [pod(&format!("{namespace}/client"), mesh.client().netns())];
                let policy = accelerate_everything(namespace).promotion(promotion);
                Daemon::start_with("pingpong", Manifests::of(&policy, &pods)?, &[])
            };
            let window = || pingpong::window(mesh.client(), PINGPONG, manner, seconds);
            compare::in_turns(settings.rounds, None, start, window, print)
        }
    }
}
