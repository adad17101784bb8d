//! `meshaccel-idle`: what the daemon costs while nothing happens, and what a connection costs in kernel memory.
//!
//! Many pods, many connections, all promoted, or with `--quiet` none; then silence, and one busy connection among them. The
//! daemon's CPU is what the kernel accounts to its process, scans over the connections included. Kernel memory is the growth
//! of slab and per-CPU memory (/proc/meminfo) over the same number of connections with and without acceleration.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::machine::kilobytes;
use meshaccel_e2e_harness::manifest::{Manifests, accelerate_everything};
use meshaccel_e2e_harness::netns::Netns;
use meshaccel_e2e_harness::traffic::{Family, Service, request};
use meshaccel_e2e_harness::{interrupt, wait};

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
    /// Seconds of silence to measure. Full resyncs of many connections are minutes apart.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Connections that carry next to nothing and stay on TCP, instead of promoted ones.
    #[arg(long)]
    quiet: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// Holds the connections of some pods (a process may not have 20,000 descriptors).
    #[command(hide = true)]
    Hold { connections: usize, requests: usize, netns: Vec<PathBuf> },
}

/// Descriptors of one holder, two a connection; more only where a single pod has more.
const DESCRIPTORS_A_HOLDER: usize = 5_000;
/// Requests that make a connection worth promoting, and those that do not.
const BUSY: usize = 12;
const QUIET: usize = 2;
/// After the last exchange some scans look after what it left behind.
const SETTLING: Duration = Duration::from_secs(20);
/// A new connection is busy with a request every so often.
const EVERY: Duration = Duration::from_millis(2);

fn main() -> Result<()> {
    let args = Args::parse();
    match args.part {
        Some(Part::Hold { connections, requests, netns }) => hold(connections, requests, &netns),
        None => measure(&args),
    }
}

/// Opens the connections, says so, exchanges messages whenever a line comes in, and holds them until end of input.
fn hold(connections: usize, requests: usize, netns: &[PathBuf]) -> Result<()> {
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
            request::by_hand(pair, requests, 64)?;
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
    fn start(args: &Args, pods: &[Netns]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let requests = if args.quiet { QUIET } else { BUSY };
        command
            .arg("hold")
            .arg(args.connections.to_string())
            .arg(requests.to_string())
            .args(pods.iter().map(Netns::path));
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
    let pods = (DESCRIPTORS_A_HOLDER / (2 * args.connections)).max(1);
    netns.chunks(pods).map(|pods| Holder::start(args, pods)).collect()
}

fn measure(args: &Args) -> Result<()> {
    ensure!(nix::unistd::geteuid().is_root(), "loading BPF programs and making network namespaces needs root");
    interrupt::becomes_error()?;
    let total = args.pods * args.connections;
    let kind = if args.quiet { "quiet" } else { "accelerated" };
    println!("[1/5] {} pods", args.pods);
    let pods = Pods::new(args.pods)?;
    let netns: Vec<Netns> = (0..args.pods).map(|index| Netns::existing(&pods.netns(index).path())).collect();

    println!("[2/5] {total} plain connections");
    let before = kernel_memory()?;
    let mut plain = holders(args, &netns)?;
    plain.iter_mut().try_for_each(Holder::exchange)?;
    let plain_memory = kernel_memory()? - before;
    drop(plain);

    println!("[3/5] {total} {kind} connections");
    let manifests: Vec<_> = (0..args.pods).map(|index| pods.manifest(index)).collect();
    let (policy, most) = (accelerate_everything(NAMESPACE).auto(), (total + 1).max(65_536).to_string());
    let manifests = Manifests::of(&policy, &manifests)?;
    let mut daemon = Daemon::start_with("idle", manifests, &["--max-connections", &most])?;
    let before = kernel_memory()?;
    let mut holders = holders(args, &netns)?;
    holders.iter_mut().try_for_each(Holder::exchange)?;
    let (wanted, state) = (2 * total as u64, if args.quiet { "recorded" } else { "promoted" });
    wait::wait_for(Duration::from_secs(120), "every connection to be there", || {
        interrupt::check()?;
        let there = daemon.metric("meshaccel_connections", state)?;
        ensure!(there >= wanted, "{there} of {wanted} sockets are {state}");
        Ok(())
    })?;
    holders.iter_mut().try_for_each(Holder::exchange)?;
    let memory = kernel_memory()? - before;

    let pid = daemon.pid()?;
    println!("[4/5] {} s of silence, after {} s to settle", args.seconds, SETTLING.as_secs());
    interrupt::window(SETTLING)?;
    let (cpu, start) = (cpu_seconds(pid)?, Instant::now());
    interrupt::window(Duration::from_secs(args.seconds))?;
    let share = 100.0 * (cpu_seconds(pid)? - cpu) / start.elapsed().as_secs_f64();
    let status = daemon.get("/status")?.body;
    let status: serde_json::Value = serde_json::from_str(&status)?;
    println!("[5/5] one busy connection among them");
    let promoted = promotion(&daemon, &pods)?;
    println!("daemon at rest: {share:.3} % of a core, {:.1} MB resident", resident_megabytes(pid)?);
    println!("one full resync of {} sockets: {} us", 2 * total, status["last_resync_us"]);
    println!(
        "kernel memory per connection (both ends): {:.0} B plain, {:.0} B {kind}, {:.0} B more",
        plain_memory / total as f64,
        memory / total as f64,
        (memory - plain_memory) / total as f64
    );
    println!("a new busy connection is promoted after {} ms", promoted.as_millis());
    drop(holders);
    daemon.stop()
}

/// How long a connection that is opened now, and asks again and again, waits until both of its ends are in the SOCKHASH.
fn promotion(daemon: &Daemon, pods: &Pods) -> Result<Duration> {
    let before = daemon.events("promoted_late")?;
    let (mut pair, start) = (pods.pair(0)?, Instant::now());
    wait::wait_for(Duration::from_secs(60), "a busy connection to be promoted", || {
        request::by_hand(&mut pair, 1, 64)?;
        std::thread::sleep(EVERY);
        let more = daemon.events("promoted_late")? - before;
        ensure!(more >= 2, "{more} of 2 sockets are promoted");
        Ok(())
    })?;
    let took = start.elapsed();
    pair.close()?;
    Ok(took)
}

/// Slab and per-CPU memory in bytes: sockets, storage, map elements and sk_psocks are all there.
fn kernel_memory() -> Result<f64> {
    Ok((kilobytes("SUnreclaim")? + kilobytes("Percpu")?) as f64 * 1024.0)
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
