//! Through one or two real Envoys. The published design has pods of its own, whose processes live in its cgroup from the
//! start: a proxy keeps connections open from window to window, and what it has recorded once stays recorded.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Result;

use super::catalogue::{Proxied, Traffic};
use super::redirection::Counters;
use super::result::Measured;
use super::variant::Variant;
use crate::bpf::Published;
use crate::cgroup::Cgroup;
use crate::daemon::Daemon;
use crate::load::cpu::Reading;
use crate::load::exchange::{Exchange, Place, Window, Worker};
use crate::load::pattern::{Address, Pattern};
use crate::load::wrk::Wrk;
use crate::load::{Outcome, databases, h2load};
use crate::manifest::Promotion;
use crate::mesh::files::{self, Http};
use crate::mesh::interception::Provider;
use crate::mesh::pod::Pod;
use crate::mesh::process::Process;
use crate::mesh::talk::Redis;
use crate::mesh::{Mesh, Plan, Sidecars, accelerate, ports, servers};

/// `--concurrency` of each Envoy; Istio's default.
const WORKERS: u8 = 2;

/// Two pods and the servers of all rows.
struct Pods {
    mesh: Mesh,
    _servers: Vec<Process>,
}

/// Two meshes of one kind.
pub struct Stage {
    provider: Provider,
    sidecars: Sidecars,
    ordinary: Pods,
    bypassed: Pods,
    /// Dropped after its pods, and before the group that it is attached to.
    _published: Published,
    _cgroup: Cgroup,
    /// What redis-benchmark is told to do in a window.
    redis_requests: Option<u64>,
}

impl Stage {
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
            redis_requests: None,
        })
    }

    /// True when these are the pods that `row` needs.
    pub fn suits(&self, row: &Proxied) -> bool {
        self.provider == row.provider && self.sidecars == row.sidecars
    }

    /// The first requests through a new Envoy are slower than all others.
    pub fn warm_up(&mut self, traffic: Traffic) -> Result<()> {
        for pods in [&self.ordinary, &self.bypassed] {
            if traffic == Traffic::Postgres {
                databases::fill_postgres(pods.mesh.client(), pods.mesh.server().v4())?;
            }
            let window = pods.window(traffic, Duration::from_secs(1), self.redis_requests)?;
            if traffic == Traffic::Redis {
                self.redis_requests = Some(window.per_second() as u64);
            }
        }
        Ok(())
    }

    pub fn window(&self, variant: Variant, traffic: Traffic, length: Duration) -> Result<Measured> {
        let requests = self.redis_requests.map(|a_second| (a_second as f64 * length.as_secs_f64()) as u64);
        match variant {
            Variant::Meshaccel => {
                let mut daemon: Daemon = accelerate::start(&self.ordinary.mesh, Promotion::Auto)?;
                let before = Counters::read(&daemon)?;
                let window = self.ordinary.window(traffic, length, requests)?;
                let mut redirection = Counters::read(&daemon)?.since(&before, None);
                redirection.look_at(&daemon.connections()?);
                self.ordinary.check_bytes(traffic)?;
                daemon.stop()?;
                daemon.run_ok(&["uninstall"])?;
                Ok(Measured { window, redirection: Some(redirection) })
            }
            Variant::Published => {
                let window = self.bypassed.window(traffic, length, requests)?;
                self.bypassed.check_bytes(traffic)?;
                Ok(Measured { window, redirection: None })
            }
            _ => Ok(Measured { window: self.ordinary.window(traffic, length, requests)?, redirection: None }),
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

    fn window(&self, traffic: Traffic, length: Duration, redis_requests: Option<u64>) -> Result<Window> {
        let (client, server) = (self.mesh.client(), self.mesh.server().v4());
        // Programs of others count whole seconds.
        let seconds = length.as_secs_f64().ceil() as u32;
        let url = |port: u16, path: &str| format!("http://{}:{port}/{path}", files::host(server));
        let (start, outcome) = match traffic {
            Traffic::Tcp { size, connections } => return self.exchange(Pattern::Ask { size, connections }, length),
            Traffic::Http1 { path, connections } => {
                let url = url(ports::HTTP1, path);
                (Reading::now()?, Wrk::start(client, &url, connections, seconds)?.finish()?)
            }
            Traffic::Http2 { path, connections, streams } => {
                let url = url(ports::HTTP2, path);
                (Reading::now()?, h2load::run_for(client, &url, seconds, connections, streams)?)
            }
            Traffic::Redis => {
                let requests = redis_requests.unwrap_or(10_000);
                (Reading::now()?, databases::redis(client, server, requests, CONNECTIONS)?)
            }
            Traffic::Postgres => (Reading::now()?, databases::postgres(client, server, seconds, CONNECTIONS)?),
        };
        let busy_us = Reading::now()?.busy_us_since(start);
        outcome.check()?;
        Ok(window(&outcome, busy_us))
    }

    /// The load generator's own server and client, on either side.
    fn exchange(&self, pattern: Pattern, length: Duration) -> Result<Window> {
        let [client, server] = self.mesh.pods();
        let (port, address) = (ports::ECHO, server.v4());
        let everywhere = Address::Tcp((Ipv4Addr::UNSPECIFIED, port).into());
        let server = Worker::server(place(server), pattern, &everywhere)?;
        let client = Worker::client(place(client), pattern, &Address::Tcp((address, port).into()))?;
        Exchange::of(server, client, pattern).measure(length)
    }

    /// Programs of others count answers; whether they are the right ones is asked once a window.
    fn check_bytes(&self, traffic: Traffic) -> Result<()> {
        let (client, server) = (self.mesh.client(), self.mesh.server().v4());
        match traffic {
            Traffic::Http1 { .. } => files::download(client, server, Http::One, "64k"),
            Traffic::Http2 { .. } => files::download(client, server, Http::Two, "64k"),
            Traffic::Redis => Redis::connect(client, server)?.exercise(10_000, 100),
            Traffic::Tcp { .. } | Traffic::Postgres => Ok(()),
        }
    }
}

fn place(pod: &Pod) -> Place<'_> {
    Place { netns: pod.netns(), cgroup: pod.cgroup(), processor: None }
}

/// Of the clients of databases.
const CONNECTIONS: u32 = 16;

fn window(outcome: &Outcome, busy_us: f64) -> Window {
    Window {
        operations: outcome.requests,
        seconds: outcome.requests as f64 / outcome.requests_per_second,
        busy_us,
        bytes: 0,
        mismatches: 0,
        p50_us: outcome.p50_us,
        p99_us: outcome.p99_us,
    }
}
