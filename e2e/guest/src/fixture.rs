//! The pod of the story, and what is redirected in it on this kernel: both ends of every connection, or, where an application
//! that asks how many bytes wait (FIONREAD) would be told too few, only the end of a known sidecar.

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::manifest::{Manifests, Promotion, accelerate_everything};
use meshaccel_e2e_harness::netns::Netns;
use meshaccel_e2e_harness::traffic::{Family, Pair, Service, request};
use meshaccel_e2e_harness::wait::wait_for;

use super::found::Found;

const LIMIT: std::time::Duration = std::time::Duration::from_secs(30);
/// Where Istio's sidecar listens to what its application sends.
const SIDECAR: u16 = 15001;

#[derive(Debug)]
pub struct Fixture {
    pods: Pods,
    one_way: bool,
}

impl Fixture {
    pub fn new() -> Result<Self> {
        Ok(Self { pods: Pods::new(2)?, one_way: false })
    }

    /// What the daemon is told before anything is known of the kernel.
    pub fn manifests(&self) -> Result<Manifests> {
        self.pods.manifests(&accelerate_everything(NAMESPACE).promotion(Promotion::Auto))
    }

    /// Where the kernel demands it, the pod becomes one of Istio's.
    pub fn suit(&mut self, found: &Found) -> Result<Option<Manifests>> {
        self.one_way = !matches!(found.fionread.as_str(), "both" | "redirected");
        if !self.one_way {
            return Ok(None);
        }
        let istio = accelerate_everything(NAMESPACE).provider("Istio").promotion(Promotion::Auto);
        self.pods.manifests(&istio).map(Some)
    }

    pub fn netns(&self) -> &Netns {
        self.pods.netns(0)
    }

    /// Only what goes to the sidecar, the servers of [`Self::pairs`], is redirected.
    pub fn one_way(&self) -> bool {
        self.one_way
    }

    /// Another pod, for what changes how all later connections of a port are served.
    pub fn other_netns(&self) -> &Netns {
        self.pods.netns(1)
    }

    /// Its connections are redirected, as far as anything is.
    pub fn service(&self, netns: &Netns, family: Family) -> Result<Service> {
        let port = if self.one_way { SIDECAR } else { 0 };
        Service::listen(Some(netns), family.loopback(port))
    }

    /// Connections of which something is redirected.
    pub fn pairs(&self, family: Family, count: usize) -> Result<Vec<Pair>> {
        self.service(self.netns(), family)?.pairs(Some(self.netns()), count)
    }

    /// Asks and answers on all of them until each is redirected as far as it can be.
    pub fn warm(&self, daemon: &Daemon, pairs: &mut [Pair]) -> Result<()> {
        if !self.one_way {
            return daemon.warm_all(pairs);
        }
        wait_for(LIMIT, "every connection to be redirected to the sidecar", || {
            for pair in &mut *pairs {
                request::by_hand(pair, 12, 64)?;
            }
            let connections = daemon.connections()?;
            for pair in &*pairs {
                let client = connections.both(pair)?.0;
                ensure!(client.redirected.messages > 0, "nothing is redirected yet: {client:?}");
            }
            Ok(())
        })
    }
}
