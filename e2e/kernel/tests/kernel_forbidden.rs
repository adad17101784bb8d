//! What comes to forbid a connection between two pods holds for a redirected one, too, a second or two later.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::fixture::{NAMESPACE, run_in};
use meshaccel_e2e_harness::manifest::{Manifests, Promotion, accelerate_everything, pod};
use meshaccel_e2e_harness::netns::{Netns, run};
use meshaccel_e2e_harness::traffic::{Load, Service};
use meshaccel_e2e_harness::wait::wait_for;

both_promotions!(a_policy_that_comes_to_forbid_a_connection_holds);

const LIMIT: Duration = Duration::from_secs(10);
/// Nothing for so long: it is forbidden.
const STILL: Duration = Duration::from_secs(1);
const CONNECTIONS: usize = 2;

/// A node that routes between its two pods, as most networks of Kubernetes do.
struct Node {
    node: Netns,
    pods: [Netns; 2],
}

impl Node {
    fn new() -> Result<Self> {
        let this = Self { node: Netns::new("node")?, pods: [Netns::new("pod-0")?, Netns::new("pod-1")?] };
        for (index, pod) in this.pods.iter().enumerate() {
            let (node, pod, link) = (this.node.name(), pod.name(), format!("pod{index}"));
            run("ip", &["-n", node, "link", "add", &link, "type", "veth", "peer", "name", "eth0", "netns", pod])?;
            let [gateway, address] = [1, 2].map(|last| Ipv4Addr::new(10, 78, index as u8, last).to_string());
            run("ip", &["-n", node, "addr", "add", &format!("{gateway}/24"), "dev", &link])?;
            run("ip", &["-n", node, "link", "set", &link, "up"])?;
            run("ip", &["-n", pod, "addr", "add", &format!("{address}/24"), "dev", "eth0"])?;
            run("ip", &["-n", pod, "link", "set", "eth0", "up"])?;
            run("ip", &["-n", pod, "route", "add", "default", "via", &gateway])?;
        }
        this.node.enter(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1"))??;
        Ok(this)
    }

    /// As an agent that carries out a NetworkPolicy puts it between the pods; `-I`: from now on, `-D`: no longer.
    fn forbid(&self, verb: &str) -> Result<()> {
        let rule = [verb, "FORWARD", "-s", "10.78.0.2", "-d", "10.78.1.2", "-p", "tcp", "-j", "DROP"];
        run_in(&self.node, "iptables", &rule).map(drop)
    }
}

fn a_policy_that_comes_to_forbid_a_connection_holds(promotion: Promotion) -> Result<()> {
    let node = Node::new()?;
    let policy = accelerate_everything(NAMESPACE).promotion(promotion).node_local();
    let pods = [pod("e2e/pod-0", &node.pods[0]), pod("e2e/pod-1", &node.pods[1])];
    let daemon = meshaccel_e2e_harness::daemon::Daemon::start("node", Manifests::of(&policy, &pods)?)?;
    let service = Service::listen(Some(&node.pods[1]), (Ipv4Addr::new(10, 78, 1, 2), 0).into())?;
    let mut pairs = service.pairs(Some(&node.pods[0]), CONNECTIONS)?;
    daemon.warm_all(&mut pairs)?;
    let load = Load::start(pairs, 5);
    let redirects = || -> Result<()> {
        let before = daemon.connections()?.redirected_messages();
        wait_for(LIMIT, "the load to be redirected", || {
            ensure!(daemon.connections()?.redirected_messages() > before + 100, "only {before} and a few messages");
            Ok(())
        })
    };
    redirects()?;

    node.forbid("-I")?;
    let (mut seen, mut since) = (load.bouts(), Instant::now());
    wait_for(LIMIT, "the policy to hold", || {
        let now = load.bouts();
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        ensure!(since.elapsed() >= STILL, "messages go on although they are forbidden");
        Ok(())
    })?;
    let redirected = daemon.connections()?.redirected_messages();

    node.forbid("-D")?;
    wait_for(LIMIT, "what was held up to arrive", || {
        ensure!(load.bouts() > seen, "nothing arrives");
        Ok(())
    })?;
    redirects()?;
    ensure!(daemon.connections()?.redirected_messages() > redirected, "redirection did not come back");
    for mut pair in load.finish().context("a byte is wrong")? {
        pair.close()?;
    }
    Ok(())
}
