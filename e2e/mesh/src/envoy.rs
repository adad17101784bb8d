//! The sidecar: a real Envoy in each pod, configured like Istio's: every connection of the application is intercepted,
//! goes to the address that it was meant for, and travels under mutual TLS to the other pod's sidecar.
//!
//! What is HTTP is told by port, not by sniffing: a server that speaks first would wait for bytes that never come.

mod config;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use meshaccel_e2e_harness::{interrupt, parts};
use serde_json::Value;

use super::certificates::Certificates;
use super::interception::Provider;
use super::pod::Pod;
use super::process::Process;
use super::{Plan, Sidecars};

/// Envoy's administration port, on the pod's loopback.
const ADMIN_PORT: u16 = 15000;
/// Envoy needs about a second; the rest is for a machine that is busy building.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// A running Envoy.
#[derive(Debug)]
pub struct Sidecar {
    process: Process,
}

impl Sidecar {
    /// Starts Envoy in `pod`; it is not ready yet, so that two can start at once.
    pub(super) fn start(pod: &Pod, peer: &str, plan: &Plan, tls: &Certificates) -> Result<Self> {
        let Plan { provider, workers, .. } = *plan;
        let mutual_tls = plan.sidecars == Sidecars::Both;
        let directory = pod.directory_for("envoy", provider.proxy_user())?;
        let path = directory.join("envoy.json").to_string_lossy().into_owned();
        std::fs::write(
            &path,
            format!("{:#}", config::bootstrap(pod.name(), peer, provider, tls.directory(), mutual_tls)),
        )?;
        let program = parts::cached("envoy/envoy")?;
        let workers = workers.to_string();
        let arguments = ["-c", &path, "--concurrency", &workers, "--disable-hot-restart", "--log-level", "warning"];
        let process = pod.start(provider.proxy_user(), "envoy", &program, &arguments)?;
        Ok(Self { process })
    }

    /// Waits until Envoy says it is live.
    pub(super) fn wait_ready(&mut self, pod: &Pod) -> Result<()> {
        interrupt::until("Envoy is ready", READY_LIMIT, || {
            self.process.check_running()?;
            Ok(admin(pod, "/ready").ok().filter(|answer| answer.contains("LIVE")))
        })?;
        Ok(())
    }

    /// Fails, with the end of Envoy's log, when it has died.
    pub fn check_running(&mut self) -> Result<()> {
        self.process.check_running()
    }
}

/// The configuration of a sidecar in a container: with a port for the kubelet's probes. `certificates` is where the container
/// finds them.
pub fn for_container(pod: &str, peer: &str, provider: Provider, certificates: &Path) -> Value {
    config::with_health(config::bootstrap(pod, peer, provider, certificates, true))
}

/// One GET of Envoy's administration interface, from inside the pod.
pub fn admin(pod: &Pod, path: &str) -> Result<String> {
    ask(pod.connect(IpAddr::V4(Ipv4Addr::LOCALHOST), ADMIN_PORT)?, path)
}

/// The same from a process that is in the pod already.
pub fn admin_here(path: &str) -> Result<String> {
    ask(TcpStream::connect((Ipv4Addr::LOCALHOST, ADMIN_PORT)).context("no Envoy listens here")?, path)
}

fn ask(mut stream: TcpStream, path: &str) -> Result<String> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// One of Envoy's counters, e.g. `listener.inbound.ssl.handshake`.
pub fn counter(pod: &Pod, name: &str) -> Result<u64> {
    counter_in(&admin(pod, &format!("/stats?filter=^{name}$"))?, name)
}

/// The same from what `/stats` answered.
pub fn counter_in(answer: &str, name: &str) -> Result<u64> {
    let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.with_context(|| format!("Envoy has no counter {name}"))?.trim().parse().context("not a number")
}
