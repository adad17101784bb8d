//! The pods of a test, and one test with each way of promotion.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::Result;

use crate::daemon::Daemon;
use crate::manifest::{self, Acceleration, Manifests, Promotion, accelerate_everything};
use crate::netns::{Netns, run};
use crate::traffic::{Family, Pair, Service};

/// The Kubernetes namespace of all test pods.
pub const NAMESPACE: &str = "e2e";

/// Turns `fn name(Promotion) -> Result<()>` into the tests `name::auto` and `name::eager`.
#[macro_export]
macro_rules! both_promotions {
    ($($name:ident),* $(,)?) => {
        $(mod $name {
            #[test]
            fn auto() {
                $crate::failure::check(|| super::$name($crate::manifest::Promotion::Auto));
            }
            #[test]
            fn eager() {
                $crate::failure::check(|| super::$name($crate::manifest::Promotion::Eager));
            }
        })*
    };
}

/// The pods of a test: `e2e/pod-0`, `e2e/pod-1`, ...
#[derive(Debug)]
pub struct Pods {
    netns: Vec<Netns>,
}

impl Pods {
    /// Namespaces that are not connected to one another.
    pub fn new(count: usize) -> Result<Self> {
        let netns = (0..count).map(|index| Netns::new(&format!("pod-{index}"))).collect::<Result<_>>()?;
        Ok(Self { netns })
    }

    /// Two pods joined by a veth pair; their addresses are [`Self::address`].
    pub fn joined() -> Result<Self> {
        let pods = Self::new(2)?;
        let (first, second) = (pods.netns(0).name(), pods.netns(1).name());
        run("ip", &["-n", first, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", second])?;
        for index in 0..2 {
            let name = pods.netns(index).name();
            run("ip", &["-n", name, "addr", "add", &format!("{}/24", Self::address(index)), "dev", "eth0"])?;
            run("ip", &["-n", name, "link", "set", "eth0", "up"])?;
        }
        Ok(pods)
    }

    /// Address of a joined pod.
    pub fn address(index: usize) -> IpAddr {
        Ipv4Addr::new(10, 77, 0, index as u8 + 1).into()
    }

    pub fn netns(&self, index: usize) -> &Netns {
        &self.netns[index]
    }

    /// `e2e/pod-<index>`.
    pub fn name(&self, index: usize) -> String {
        format!("{NAMESPACE}/pod-{index}")
    }

    /// The manifest of one pod.
    pub fn manifest(&self, index: usize) -> manifest::Pod {
        manifest::pod(&self.name(index), self.netns(index))
    }

    /// Manifests of a policy and all pods.
    pub fn manifests(&self, policy: &Acceleration) -> Result<Manifests> {
        let pods: Vec<_> = (0..self.netns.len()).map(|index| self.manifest(index)).collect();
        Manifests::of(policy, &pods)
    }

    /// A service on loopback in one pod.
    pub fn service(&self, index: usize, family: Family) -> Result<Service> {
        Service::listen(Some(self.netns(index)), family.loopback(0))
    }

    /// `count` connections inside one pod, over loopback.
    pub fn pairs(&self, index: usize, family: Family, count: usize) -> Result<Vec<Pair>> {
        self.service(index, family)?.pairs(Some(self.netns(index)), count)
    }

    /// One of them.
    pub fn pair(&self, index: usize) -> Result<Pair> {
        self.service(index, Family::V4)?.pair(Some(self.netns(index)))
    }

    /// Starts a daemon that accelerates everything in these pods.
    pub fn accelerate(&self, promotion: Promotion) -> Result<Daemon> {
        self.accelerate_with(&accelerate_everything(NAMESPACE).promotion(promotion), &[])
    }

    /// Starts a daemon that knows only the first pod: connections in the others are the plain TCP to compare with.
    pub fn accelerate_first(&self, promotion: Promotion) -> Result<Daemon> {
        let policy = accelerate_everything(NAMESPACE).promotion(promotion);
        Daemon::start("node", Manifests::of(&policy, &[self.manifest(0)])?)
    }

    /// Starts a daemon with a policy for these pods.
    pub fn accelerate_with(&self, policy: &Acceleration, arguments: &[&str]) -> Result<Daemon> {
        Daemon::start_with("node", self.manifests(policy)?, arguments)
    }
}

/// Adds a rule of the nat table to what a namespace sends; `program` is iptables or ip6tables.
pub fn nat_rule(netns: &Netns, program: &str, rule: &str) -> Result<()> {
    run_in(netns, program, &format!("-w -t nat -A OUTPUT -p tcp {rule}").split(' ').collect::<Vec<_>>())?;
    Ok(())
}

/// Runs a command inside a namespace; a failure carries its whole standard error.
pub fn run_in(netns: &Netns, program: &str, arguments: &[&str]) -> Result<String> {
    run("ip", &[&["netns", "exec", netns.name(), program], arguments].concat())
}
