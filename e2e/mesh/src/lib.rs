//! A service mesh in miniature: two pods, "client" and "server", with a real Envoy in each, mutual TLS between them, and
//! the iptables rules that a mesh's init container installs.
//!
//! * [`pod`] namespaces and addresses; [`process`] what runs in them, as whom; `network` the bridge between them
//! * [`interception`] Istio's and Linkerd's rules; [`envoy`] the sidecars; `certificates` who they are
//! * [`servers`] nginx, redis, PostgreSQL, iperf3; [`talk`] small servers and clients of our own; [`files`] what nginx
//!   serves and how its bytes are checked
//! * [`generator`] load of somebody else's programs; [`exercise`] all kinds of traffic through a mesh, once
//! * [`sweep`] what a killed run left; [`ports`] who listens where; [`accelerate`] how a daemon is told of a mesh
//!
//! A mesh is whole: it owns its own node (a third namespace), so any number can run side by side, and dropping it
//! leaves nothing. A mesh itself is not accelerated: it makes the traffic, others accelerate it.

pub mod accelerate;
pub mod certificates;
pub mod envoy;
pub mod exercise;
pub mod files;
pub mod generator;
pub mod interception;
mod network;
pub mod pod;
pub mod ports;
pub mod process;
pub mod servers;
pub mod sweep;
pub mod talk;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use meshaccel_e2e_harness::netns::Netns;
use tempfile::TempDir;

use certificates::Certificates;
use envoy::Sidecar;
use interception::Provider;
use pod::Pod;

/// Fields are dropped in this order: processes, then the namespaces they ran in, then their files.
#[derive(Debug)]
pub struct Mesh {
    sidecars: Vec<Sidecar>,
    client: Pod,
    server: Pod,
    _node: Netns,
    _directory: TempDir,
    provider: Provider,
}

/// Which pods have a sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sidecars {
    Both,
    /// The client's traffic comes to the server's sidecar as it is, without TLS.
    ServerOnly,
}

/// What a mesh is made of.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    pub provider: Provider,
    /// Envoy's `--concurrency`.
    pub workers: u8,
    pub sidecars: Sidecars,
    /// A control group for all processes of the pods.
    pub cgroup: Option<&'a Path>,
}

impl Mesh {
    /// Both pods up, rules installed, both sidecars ready; `workers` is Envoy's `--concurrency`.
    pub fn start(provider: Provider, workers: u8) -> Result<Self> {
        Self::build(&Plan { provider, workers, sidecars: Sidecars::Both, cgroup: None })
    }

    /// The same as planned.
    pub fn build(plan: &Plan) -> Result<Self> {
        let provider = plan.provider;
        sweep::leftovers();
        let directory = tempfile::Builder::new().prefix(&format!("ma-{}-", std::process::id())).tempdir()?;
        // Other users' processes read their files below it.
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755))?;
        let node = network::node().context("cannot make the node's network")?;
        let client = Pod::new(&node, "client", 10, directory.path(), plan.cgroup)?;
        let server = Pod::new(&node, "server", 20, directory.path(), plan.cgroup)?;
        let tls = Certificates::new(directory.path()).context("cannot make the certificate authority")?;
        let guarded = match plan.sidecars {
            Sidecars::Both => vec![(&client, &server), (&server, &client)],
            Sidecars::ServerOnly => vec![(&server, &client)],
        };
        for (pod, _) in &guarded {
            tls.issue(pod.name(), provider.proxy_user())?;
            provider.install(pod).with_context(|| format!("cannot install the rules of {}", provider.as_str()))?;
        }
        let start = |(pod, peer): &(&Pod, &Pod)| Sidecar::start(pod, peer.name(), plan, &tls);
        let mut sidecars: Vec<Sidecar> = guarded.iter().map(start).collect::<Result<_>>()?;
        for (sidecar, (pod, _)) in sidecars.iter_mut().zip(&guarded) {
            sidecar.wait_ready(pod)?;
        }
        Ok(Self { sidecars, client, server, _node: node, _directory: directory, provider })
    }

    pub fn client(&self) -> &Pod {
        &self.client
    }

    pub fn server(&self) -> &Pod {
        &self.server
    }

    pub fn pods(&self) -> [&Pod; 2] {
        [&self.client, &self.server]
    }

    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// Fails, with the end of its log, when a sidecar has died.
    pub fn check_sidecars(&mut self) -> Result<()> {
        self.sidecars.iter_mut().try_for_each(Sidecar::check_running)
    }
}
