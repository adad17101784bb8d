//! Through one or two real Envoys. The published design has pods of its own, whose processes live in its cgroup from the
//! start: a proxy keeps connections open from window to window, and what it has recorded once stays recorded.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Result;
use meshaccel_e2e_harness::cgroup::Cgroup;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_load::cpu::Reading;
use meshaccel_e2e_load::exchange::{Exchange, Placement, Window, Worker};
use meshaccel_e2e_load::pattern::{Address, Pattern};
use meshaccel_e2e_mesh::files::{self, Http};
use meshaccel_e2e_mesh::generator::h2load;
use meshaccel_e2e_mesh::interception::Provider;
use meshaccel_e2e_mesh::pod::Pod;
use meshaccel_e2e_mesh::process::Process;
use meshaccel_e2e_mesh::{Mesh, Plan, Sidecars, accelerate, ports, servers};

use super::catalogue::{Proxied, Traffic};
use super::pair::until_redirected;
use super::redirection::Counters;
use super::result::Measured;
use super::variant::Variant;
use crate::published::Published;

/// `--concurrency` of each Envoy; Istio's default.
const WORKERS: u8 = 2;

/// Two pods and the servers of all rows.
struct Pods {
    mesh: Mesh,
    _servers: Vec<Process>,
}

/// Two meshes of one kind.
pub struct Fixture {
    provider: Provider,
    sidecars: Sidecars,
    ordinary: Pods,
    bypassed: Pods,
    /// Dropped after its pods, and before the group that it is attached to.
    _published: Published,
    _cgroup: Cgroup,
}

impl Fixture {
    pub fn new(row: &Proxied) -> Result<Self> {
        let Proxied { provider, sidecars, .. } = *row;
        let cgroup = Cgroup::new("published")?;
        let published = Published::attach(&cgroup)?;
        let plan = Plan { provider, workers: WORKERS, sidecars, cgroup: None };
        Ok(Self {
            provider,
            sidecars,
            ordinary: Pods::start(&plan)?,
            bypassed: Pods::start(&Plan { cgroup: Some(cgroup.path()), ..plan })?,
            _published: published,
            _cgroup: cgroup,
        })
    }

    /// True when these are the pods that `row` needs.
    pub fn suits(&self, row: &Proxied) -> bool {
        self.provider == row.provider && self.sidecars == row.sidecars
    }

    /// The first requests through a new Envoy are slower than all others.
    pub fn warm_up(&self, traffic: Traffic) -> Result<()> {
        for pods in [&self.ordinary, &self.bypassed] {
            pods.window(traffic, Duration::from_secs(1), None)?;
        }
        Ok(())
    }

    pub fn window(&self, variant: Variant, traffic: Traffic, length: Duration) -> Result<Measured> {
        match variant {
            Variant::Meshaccel => {
                let mut daemon = accelerate::start(&self.ordinary.mesh, Promotion::Auto)?;
                let before = Counters::read(&daemon)?;
                let window = self.ordinary.window(traffic, length, Some(&daemon))?;
                let mut redirection = Counters::read(&daemon)?.since(&before, None);
                redirection.look_at(&daemon.connections()?);
                self.ordinary.check_bytes(traffic)?;
                daemon.stop()?;
                daemon.run_ok(&["uninstall"])?;
                Ok(Measured { window, redirection: Some(redirection) })
            }
            Variant::Published => {
                let window = self.bypassed.window(traffic, length, None)?;
                self.bypassed.check_bytes(traffic)?;
                Ok(Measured { window, redirection: None })
            }
            _ => Ok(Measured { window: self.ordinary.window(traffic, length, None)?, redirection: None }),
        }
    }
}

impl Pods {
    fn start(plan: &Plan) -> Result<Self> {
        let mesh = Mesh::build(plan)?;
        let mut running = vec![servers::nginx(mesh.server())?];
        if plan.sidecars == Sidecars::ServerOnly && plan.provider == Provider::Istio {
            running.push(servers::redis(mesh.server())?);
            running.push(servers::postgres(mesh.server())?);
        }
        Ok(Self { mesh, _servers: running })
    }

    fn window(&self, traffic: Traffic, length: Duration, daemon: Option<&Daemon>) -> Result<Window> {
        let (client, server) = (self.mesh.client(), self.mesh.server());
        let connect =
            |port: u16, pattern| Worker::client(place(client), pattern, &Address::Tcp((server.v4(), port).into()));
        let mut exchange = match traffic {
            Traffic::Http2 { path, connections, streams } => {
                return self.http2(path, connections, streams, length);
            }
            Traffic::Tcp { size, connections } => {
                let pattern = Pattern::Ask { size, connections };
                let everywhere = Address::Tcp((Ipv4Addr::UNSPECIFIED, ports::ECHO).into());
                let listening = Worker::server(place(server), pattern, &everywhere)?;
                Exchange::of(Some(listening), connect(ports::ECHO, pattern)?, pattern)
            }
            Traffic::Server { port, protocol, connections } => {
                let pattern = Pattern::Converse { protocol, connections };
                Exchange::of(None, connect(port, pattern)?, pattern)
            }
        };
        if let Some(daemon) = daemon {
            until_redirected(daemon, &mut exchange)?;
            // Legs are promoted one after another.
            exchange.warm_up()?;
        }
        exchange.measure(length)
    }

    /// h2load, whose connections are cold when its window begins: it is longer than the others.
    fn http2(&self, path: &str, connections: u32, streams: u32, length: Duration) -> Result<Window> {
        let (client, server) = (self.mesh.client(), self.mesh.server());
        let url = format!("http://{}:{}/{path}", files::host(server.v4()), ports::HTTP2);
        let seconds = (length.as_secs_f64() * 2.0).ceil() as u32;
        let start = Reading::now()?;
        let outcome = h2load::run_for(client, &url, seconds, connections, streams)?;
        let busy_us = Reading::now()?.busy_us_since(start);
        outcome.check()?;
        Ok(Window {
            operations: outcome.requests,
            seconds: outcome.requests as f64 / outcome.requests_per_second,
            busy_us,
            ..Window::NOTHING
        })
    }

    /// h2load counts answers; whether they are the right ones is asked once a window.
    fn check_bytes(&self, traffic: Traffic) -> Result<()> {
        match traffic {
            Traffic::Http2 { .. } => files::download(self.mesh.client(), self.mesh.server().v4(), Http::Two, "64k"),
            Traffic::Tcp { .. } | Traffic::Server { .. } => Ok(()),
        }
    }
}

fn place(pod: &Pod) -> Placement<'_> {
    Placement { netns: pod.netns(), cgroup: pod.cgroup(), processor: None }
}
