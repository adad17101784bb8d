//! `make scale`: what the operator costs in a cluster of thousands of nodes, and the daemon on a node of hundreds of pods.
//!
//! API server, etcd, operator and daemon are real. Simulated are the nodes: objects, and reports written as daemons write
//! them ([`fleet`]). Measured is from outside: processes by the kernel's accounts ([`process`]), requests by the API
//! server's audit log ([`audit`]), how late a status is by watching it ([`sight`]).
//!
//! * [`control_plane`] the cluster, the operator's and the daemon's own credentials, clients
//! * [`record`] samples once a second, phases; [`story`] what happens at one size of a cluster
//! * [`busy`] one node with many pods that change all the time; [`pods`] its pods, [`homes`] where they live
//! * [`result`] what was found, with its goals; [`table`] and [`chart`] what a person reads

mod audit;
mod busy;
pub mod chart;
mod control_plane;
mod fleet;
mod homes;
mod pace;
mod pods;
mod process;
mod record;
pub mod result;
mod sight;
mod story;
pub mod table;

use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use meshaccel_e2e_harness::{daemon, interrupt};

use crate::report::png;
use result::Findings;

/// What to run, and what to write.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Sizes of clusters, in nodes.
    pub nodes: Vec<usize>,
    /// MeshAccelerations, each of which names every node.
    pub objects: usize,
    /// Pods of a node.
    pub pods_a_node: usize,
    /// How often each node has something new to report.
    pub every: Duration,
    /// Length of the steady state, and of each window of the busy node.
    pub steady: Duration,
    /// Pods of the busy node; 0: it is left out.
    pub busy_pods: usize,
    /// What happens to them, a minute.
    pub events: u32,
    pub json: Option<PathBuf>,
    /// As PNG, or as SVG when the name ends so.
    pub plot: Option<PathBuf>,
}

/// Measures, prints, writes.
pub fn run(settings: &Settings) -> Result<()> {
    ensure!(nix::unistd::geteuid().is_root(), "not root: the cluster makes namespaces (try `sudo -E make scale`)");
    for (name, variable) in [("meshaccel-operator", "MESHACCEL_OPERATOR"), ("meshaccel-node", "MESHACCEL_NODE")] {
        daemon::built(name, variable)?;
    }
    interrupt::becomes_error()?;
    let mut findings = Findings::new(settings)?;
    for &nodes in &settings.nodes {
        say(&format!("A cluster of {nodes} nodes with {} pods each", settings.pods_a_node));
        findings.sizes.push(story::tell(settings, nodes).with_context(|| format!("with {nodes} nodes"))?);
    }
    if settings.busy_pods > 0 {
        say(&format!("A node with {} pods, {} events a minute", settings.busy_pods, settings.events));
        findings.busy = Some(busy::measure(settings).context("on the busy node")?);
    }
    println!("\n{}", table::render(&findings));
    if let Some(path) = &settings.json {
        fs::write(path, serde_json::to_vec_pretty(&findings)?).with_context(|| path.display().to_string())?;
        println!("Figures: {}", path.display());
    }
    if let Some(path) = &settings.plot {
        let svg = chart::draw(&findings);
        let picture = if path.extension().is_some_and(|end| end == "svg") { svg.into() } else { png::render(&svg)? };
        fs::write(path, picture).with_context(|| path.display().to_string())?;
        println!("Picture: {}", path.display());
    }
    Ok(())
}

/// A step, for whoever watches.
fn say(what: &str) {
    println!("{what}");
}

/// What a step found, or how far it is.
fn detail(what: &str) {
    println!("    {what}");
}

/// Runs what is asynchronous to its end, or until somebody interrupts.
fn block_on<T>(body: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            result = body => result,
            () = interrupted() => bail!("interrupted"),
        }
    })
}

async fn interrupted() {
    while !interrupt::seen() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Asks until there is an answer; a failure that names `what` after `limit`.
async fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = look()? {
            return Ok(answer);
        }
        ensure!(start.elapsed() < limit, "waited {limit:?} in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
