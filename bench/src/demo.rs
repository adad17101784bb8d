//! `make demo`: two real pods run faster with meshaccel than without, every byte is checked, and nothing is left.
//!
//! * [`prerequisites`] one sentence for what is missing; `live` the daemon started under load; `looking` the list of
//!   connections and the switch, seen by tcpdump; `residue` the proof at the end; `progress` lines for the person

mod live;
mod looking;
mod packets;
pub mod prerequisites;
mod progress;
mod residue;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::interrupt;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_mesh::files::{self, Http};
use meshaccel_e2e_mesh::interception::Provider;
use meshaccel_e2e_mesh::{Mesh, accelerate, ports, servers};

use crate::report::{Findings, picture, png, table};
use crate::sample::Sample;
use crate::windows;
use progress::Progress;

/// How much to measure, and where the picture goes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Windows of each kind.
    pub rounds: u32,
    /// Length of one window.
    pub seconds: u32,
    pub output: PathBuf,
}

/// Keep-alive connections of the load.
const CONNECTIONS: u32 = 16;
/// `--concurrency` of each Envoy; Istio's default.
const WORKERS: u8 = 2;
const STEPS: u32 = 9;

/// The whole demonstration. Whatever happens, everything is removed, and what is left over is an error.
pub fn run(settings: &Settings) -> Result<()> {
    let mut progress = Progress::new(STEPS);
    progress.step("Checking this machine");
    prerequisites::check()?;
    interrupt::becomes_error()?;
    let before = residue::Snapshot::take()?;
    let findings = demonstrate(settings, &mut progress);
    if findings.is_ok() {
        progress.step("Looking for anything left behind");
    }
    let left = before.nothing_left();
    let findings = match findings {
        Ok(findings) => findings,
        Err(error) if left.is_ok() => return Err(error.context("stopped, and removed everything")),
        Err(error) => return Err(error),
    };
    progress.detail(&left?);
    println!("\n{}\n\n{}", table::render(&findings), findings.headline());
    let pictures = write_pictures(&settings.output, &findings)?;
    println!("Pictures: {}", pictures.join(", "));
    Ok(())
}

/// Everything between an empty machine and an empty machine.
fn demonstrate(settings: &Settings, progress: &mut Progress) -> Result<Findings> {
    progress.step("Starting two pods: network namespaces, Istio's iptables rules, Envoy sidecars, mutual TLS");
    let mut mesh = Mesh::start(Provider::Istio, WORKERS)?;
    let _nginx = servers::nginx(mesh.server())?;
    let address = mesh.server().v4();
    let url = format!("http://{address}:{}/small", ports::HTTP1);

    progress.step("Checking bytes over plain TCP");
    progress.detail(&check_bytes(&mesh, address)?);

    progress.step("Starting meshaccel-node while 16 connections are busy");
    let (daemon, timeline) = live::start_under_load(&mesh, &url, CONNECTIONS)?;

    let windows = format!("{} rounds of {} s each, in turns", settings.rounds, settings.seconds);
    progress.step(&format!("Measuring plain TCP and meshaccel: {windows}"));
    let start = || accelerate::start(&mesh, Promotion::Auto);
    let window = || Sample::take(mesh.client(), &url, CONNECTIONS, settings.seconds);
    let comparison =
        windows::in_turns(settings.rounds, Some(daemon), start, window, |side, sample| progress.sample(side, sample))?;

    progress.step("Checking bytes while meshaccel redirects, and listing connections");
    let mut daemon: Daemon = start()?;
    let seen = looking::under_load(&mesh, &daemon, &url, CONNECTIONS, progress, || check_bytes(&mesh, address))?;

    progress.step("Uninstalling, and checking bytes once more over plain TCP");
    daemon.stop()?;
    progress.lines(&daemon.run_ok(&["uninstall"])?);
    progress.detail(&check_bytes(&mesh, address)?);
    mesh.check_sidecars()?;

    let conditions = format!(
        "HTTP between two pods with Envoy sidecars (Istio's rules, mutual TLS), {CONNECTIONS} connections, {} CPUs, Linux {}",
        std::thread::available_parallelism()?,
        kernel()?,
    );
    let (plain, accelerated, bytes) = (comparison.plain, comparison.accelerated, comparison.bytes);
    Ok(Findings { conditions, plain, accelerated, timeline, connections: seen, bytes })
}

/// Downloads and uploads, compared byte by byte, over both HTTP versions; says what was done.
fn check_bytes(mesh: &Mesh, address: IpAddr) -> Result<String> {
    for version in [Http::One, Http::Two] {
        for file in ["1k", "64k", "10m"] {
            files::download(mesh.client(), address, version, file)?;
        }
        files::upload(mesh.client(), mesh.server(), address, version, 10 << 20)?;
    }
    let hash = files::sha256(mesh.server(), "10m")?;
    let short = hash.get(..16).unwrap_or(&hash);
    Ok(format!("1 kB, 64 kB, 10 MB down and 10 MB up, HTTP/1.1 and HTTP/2: identical (10 MB: sha256 {short}...)"))
}

fn kernel() -> Result<String> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(release.trim().split('-').next().unwrap_or_default().to_owned())
}

fn write_pictures(directory: &Path, findings: &Findings) -> Result<Vec<String>> {
    std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let svg = picture::draw(findings);
    let png = png::render(&svg)?;
    let paths = [directory.join("meshaccel.svg"), directory.join("meshaccel.png")];
    for (path, bytes) in paths.iter().zip([svg.as_bytes(), &png]) {
        std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(paths.iter().map(|path| path.display().to_string()).collect())
}
