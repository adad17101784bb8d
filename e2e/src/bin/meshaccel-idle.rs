//! `meshaccel-idle`: what the daemon costs while nothing happens, and what a connection costs in kernel memory.
//!
//! Many pods, many connections, all promoted, then silence. The daemon's CPU is what the kernel accounts to its process,
//! passes over the connections included. Kernel memory is the growth of slab and per-CPU memory (/proc/meminfo) over the
//! same number of connections with and without acceleration.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use meshaccel_e2e::daemon::Daemon;
use meshaccel_e2e::manifest::{Manifests, accelerate_everything};
use meshaccel_e2e::netns::Netns;
use meshaccel_e2e::stage::{NAMESPACE, Pods};
use meshaccel_e2e::traffic::{Family, Service};
use meshaccel_e2e::wait;

/// Measures the daemon at rest.
#[derive(Parser)]
#[command(name = "meshaccel-idle")]
struct Args {
    /// Pods.
    #[arg(long, default_value_t = 100)]
    pods: usize,
    /// Connections in each pod.
    #[arg(long, default_value_t = 100)]
    connections: usize,
    /// Seconds of silence to measure.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// Holds the connections of some pods (a process may not have 20,000 descriptors).
    #[command(hide = true)]
    Hold { connections: usize, netns: Vec<PathBuf> },
}

/// Pods that one holder serves: 25 pods with 100 connections are 5,000 descriptors.
const PODS_A_HOLDER: usize = 25;

fn main() -> Result<()> {
    let args = Args::parse();
    match args.part {
        Some(Part::Hold { connections, netns }) => hold(connections, &netns),
        None => measure(&args),
    }
}

/// Opens the connections, says so, exchanges messages whenever a line comes in, and holds them until end of input.
fn hold(connections: usize, netns: &[PathBuf]) -> Result<()> {
    let mut pairs = Vec::new();
    for path in netns {
        let netns = Netns::existing(path);
        let service = Service::listen(Some(&netns), Family::V4.loopback(0))?;
        pairs.extend(service.pairs(Some(&netns), connections)?);
    }
    let mut output = std::io::stdout();
    writeln!(output, "open")?;
    for line in std::io::stdin().lines() {
        line?;
        for pair in &mut pairs {
            meshaccel_e2e::traffic::request::by_hand(pair, 12, 64)?;
        }
        writeln!(output, "exchanged")?;
    }
    Ok(())
}

struct Holder {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Holder {
    fn start(connections: usize, pods: &[Netns]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("hold").arg(connections.to_string()).args(pods.iter().map(Netns::path));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let said = BufReader::new(child.stdout.take().context("the holder's output is piped")?);
        let mut holder = Self { child, said };
        holder.hear("open")?;
        Ok(holder)
    }

    fn exchange(&mut self) -> Result<()> {
        writeln!(self.child.stdin.as_mut().context("the holder's input is piped")?)?;
        self.hear("exchanged")
    }

    fn hear(&mut self, expected: &str) -> Result<()> {
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        ensure!(line.trim() == expected, "a holder said {line:?} instead of {expected:?}");
        Ok(())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn holders(args: &Args, netns: &[Netns]) -> Result<Vec<Holder>> {
    netns.chunks(PODS_A_HOLDER).map(|pods| Holder::start(args.connections, pods)).collect()
}

fn measure(args: &Args) -> Result<()> {
    ensure!(nix::unistd::geteuid().is_root(), "loading BPF programs and making network namespaces needs root");
    let total = args.pods * args.connections;
    println!("[1/4] {} pods", args.pods);
    let pods = Pods::new(args.pods)?;
    let netns: Vec<Netns> = (0..args.pods).map(|index| Netns::existing(&pods.netns(index).path())).collect();

    println!("[2/4] {total} plain connections");
    let before = kernel_memory()?;
    let mut plain = holders(args, &netns)?;
    plain.iter_mut().try_for_each(Holder::exchange)?;
    let plain_memory = kernel_memory()? - before;
    drop(plain);

    println!("[3/4] {total} accelerated connections");
    let manifests: Vec<_> = (0..args.pods).map(|index| pods.manifest(index)).collect();
    let mut daemon = Daemon::start("idle", Manifests::of(&accelerate_everything(NAMESPACE).auto(), &manifests)?)?;
    let before = kernel_memory()?;
    let mut holders = holders(args, &netns)?;
    holders.iter_mut().try_for_each(Holder::exchange)?;
    wait::wait_for(Duration::from_secs(60), "every connection to be promoted", || {
        let promoted = daemon.metric("meshaccel_connections", "promoted")?;
        ensure!(promoted >= 2 * total as u64, "{promoted} of {} sockets are promoted", 2 * total);
        Ok(())
    })?;
    holders.iter_mut().try_for_each(Holder::exchange)?;
    let memory = kernel_memory()? - before;

    println!("[4/4] {} s of silence", args.seconds);
    let pid = daemon.pid()?;
    let (cpu, start) = (cpu_seconds(pid)?, Instant::now());
    std::thread::sleep(Duration::from_secs(args.seconds));
    let share = 100.0 * (cpu_seconds(pid)? - cpu) / start.elapsed().as_secs_f64();
    let pass = daemon.get("/status")?.body;
    let pass: serde_json::Value = serde_json::from_str(&pass)?;
    println!("daemon at rest: {share:.3} % of a core, {:.1} MB resident", resident_megabytes(pid)?);
    println!("one review of {} sockets: {} us", 2 * total, pass["last_review_us"]);
    println!(
        "kernel memory per connection (both ends): {:.0} B plain, {:.0} B accelerated, {:.0} B more",
        plain_memory / total as f64,
        memory / total as f64,
        (memory - plain_memory) / total as f64
    );
    drop(holders);
    daemon.stop()
}

/// Slab and per-CPU memory in bytes: sockets, storage, map elements and sk_psocks are all there.
fn kernel_memory() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let field = |name: &str| -> Result<f64> {
        let line = text.lines().find(|line| line.starts_with(name)).with_context(|| format!("no {name} in meminfo"))?;
        Ok(line.split_whitespace().nth(1).context("a number")?.parse::<f64>()? * 1024.0)
    };
    Ok(field("SUnreclaim:")? + field("Percpu:")?)
}

fn cpu_seconds(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<_> = text.rsplit(')').next().context("stat has a command")?.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / 100.0)
}

fn resident_megabytes(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).context("a number")?.parse::<f64>()? / 1024.0)
}
