//! Through the sidecars that real Istio injects, in a cluster of its own. The load's two processes run in containers of
//! the pods; what they are told and what they say goes through `kubectl exec`.
//!
//! Plain means plain here, too: the object is deleted and the daemon is gone. Rounds begin with the variant that the last
//! one ended with, so one change a round is enough.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_cluster::mesh::NAMESPACE;
use meshaccel_e2e_cluster::meshaccel::Meshaccel;
use meshaccel_e2e_cluster::story::LIMIT;
use meshaccel_e2e_cluster::{Cluster, Extent, PATIENCE, istio};
use meshaccel_e2e_load::exchange::{Exchange, Worker};
use meshaccel_e2e_load::pattern::{Address, Pattern};

use super::catalogue::{Kind, Row};
use super::redirection::Counters;
use super::result::{Comparison, Measured};
use super::{Settings, Variant};

/// The pod of the clients, and the container of each pod in which the load's processes run.
const CLIENT: (&str, &str) = ("bench", "idle");
const SERVER: (&str, &str) = ("server", "echo");
/// Both ends of what each of 16 clients has opened; what Envoys open comes on top.
const LEAST_ENDS: usize = 32;
/// The object that accelerates them.
const OBJECT: &str = "bench";

/// All rows, in one cluster.
pub(super) fn measure_all(settings: &Settings, rows: &[Row]) -> Result<Vec<Comparison>> {
    Cluster::run(Extent::Istio, &["mesh", "node", "operator"], |cluster| {
        let mut fixture = Fixture::new(cluster)?;
        let length = Duration::from_secs_f64(settings.seconds);
        let mut comparisons = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            super::announce(number, rows);
            let Kind::Injected { port, pattern } = row.kind else { continue };
            let comparison =
                super::measure(row, settings.rounds, |variant| fixture.window(variant, port, pattern, length));
            comparisons.push(comparison.with_context(|| row.id.clone())?);
        }
        Ok(comparisons)
    })
}

struct Fixture<'a> {
    cluster: &'a Cluster,
    meshaccel: Meshaccel<'a>,
    /// Of the Service.
    address: std::net::IpAddr,
    accelerated: bool,
}

impl<'a> Fixture<'a> {
    fn new(cluster: &'a Cluster) -> Result<Self> {
        istio::apply(cluster)?;
        // Nothing else may run.
        let scale = |app: &str, count: &str| {
            let target = format!("deployment/{app}");
            cluster.kubectl(&["scale", "-n", NAMESPACE, &target, &format!("--replicas={count}")])
        };
        scale("client", "0")?;
        scale("outsider", "0")?;
        scale(CLIENT.0, "1")?;
        cluster.wait_ready(NAMESPACE, &format!("app={}", CLIENT.0), PATIENCE)?;
        cluster.kubectl(&["wait", "-n", NAMESPACE, "--for=delete", "pod", "-l", "app=client", "--timeout=60s"])?;
        let service = cluster.get_json(&["service", "server", "-n", NAMESPACE])?;
        let address = service["spec"]["clusterIP"].as_str().context("the Service has no address")?.parse()?;
        Ok(Self { cluster, meshaccel: Meshaccel::install(cluster)?, address, accelerated: false })
    }

    fn window(&mut self, variant: Variant, port: u16, pattern: Pattern, length: Duration) -> Result<Measured> {
        self.change(variant == Variant::Meshaccel)?;
        let mut exchange = self.exchange(port, pattern)?;
        if !self.accelerated {
            // As many warm-ups as the other one has at least.
            exchange.warm_up()?;
            return Ok(Measured { window: exchange.measure(length)?, redirection: None });
        }
        self.until_redirected(&mut exchange)?;
        exchange.warm_up()?;
        let before = self.counters()?;
        let window = exchange.measure(length)?;
        Ok(Measured { window, redirection: Some(self.counters()?.since(&before, None)) })
    }

    fn change(&mut self, accelerated: bool) -> Result<()> {
        if accelerated == self.accelerated {
            return Ok(());
        }
        if accelerated {
            self.meshaccel.accelerate(OBJECT, "Enforce")?;
            self.meshaccel.wait_condition(OBJECT, "Programmed", "True", LIMIT)?;
        } else {
            self.cluster.kubectl(&["delete", "meshacceleration", OBJECT, "--wait=false"])?;
            self.meshaccel.wait_nothing_left(LIMIT)?;
        }
        self.accelerated = accelerated;
        Ok(())
    }

    fn exchange(&self, port: u16, pattern: Pattern) -> Result<Exchange> {
        // Other patterns talk to servers that are always there.
        let server = matches!(pattern, Pattern::Ask { .. }).then(|| {
            let everywhere = Address::Tcp(([0, 0, 0, 0], port).into());
            Worker::server_elsewhere(&|arguments| self.in_container(SERVER, arguments), pattern, &everywhere)
        });
        let run = |arguments: &[&str]| self.in_container(CLIENT, arguments);
        let address = Address::Tcp((self.address, port).into());
        Ok(Exchange::of(server.transpose()?, Worker::client_elsewhere(&run, pattern, &address)?, pattern))
    }

    /// `meshaccel-mesh` with these arguments, in a container.
    fn in_container(&self, (app, container): (&str, &str), arguments: &[&str]) -> Command {
        let target = format!("deployment/{app}");
        let mut command = self.cluster.kubectl_command();
        command.args(["exec", "-i", "-n", NAMESPACE, &target, "-c", container, "--", "meshaccel-mesh"]).args(arguments);
        command
    }

    /// Goes on until no more ends become redirected. Those of earlier windows, which Envoys keep open for a while, never
    /// do: nothing is sent there. What it is worth shows in the counters of the window.
    fn until_redirected(&self, exchange: &mut Exchange) -> Result<()> {
        let mut before = 0;
        for _ in 0..12 {
            let rows = self.meshaccel.connections()?;
            let redirected = rows.iter().filter(|row| row["path"] == "redirected").count();
            if redirected >= LEAST_ENDS && redirected == before {
                break;
            }
            before = redirected;
            exchange.warm_up()?;
        }
        Ok(())
    }

    fn counters(&self) -> Result<Counters> {
        let namespace = meshaccel_e2e_cluster::meshaccel::NAMESPACE;
        let pod = self.cluster.pod_name(namespace, "app.kubernetes.io/name=meshaccel-node")?;
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}:15077/proxy/metrics");
        let metrics = self.cluster.get_raw(&path)?;
        ensure!(metrics.contains("meshaccel_bytes_total"), "{path} has no counters of bytes");
        Ok(Counters::of(&metrics))
    }
}
