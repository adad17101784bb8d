//! What every kernel test stands on: the machine to itself, pods, and a report that says why when a test fails.

use std::cell::RefCell;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};

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
                $crate::stage::check(|| super::$name($crate::manifest::Promotion::Auto));
            }
            #[test]
            fn eager() {
                $crate::stage::check(|| super::$name($crate::manifest::Promotion::Eager));
            }
        })*
    };
}

#[derive(Default)]
struct Notes {
    logs: Vec<String>,
    leftovers: Vec<String>,
}

thread_local! {
    static NOTES: RefCell<Notes> = RefCell::default();
}

/// Keeps a daemon's log for the report of a failing test.
pub fn note_log(log: String) {
    NOTES.with_borrow_mut(|notes| notes.logs.push(log));
}

/// Makes the running test fail: something stayed in the kernel.
pub fn note_leftover(what: String) {
    NOTES.with_borrow_mut(|notes| notes.leftovers.push(what));
}

/// Runs one test alone on this machine, as root, and panics with everything that explains its failure.
///
/// Alone: the counters of slabs and of programs are the machine's, and so are the two processors that timings need.
/// The lock is a file, so it holds across test binaries and runners.
pub fn check(body: impl FnOnce() -> Result<()>) {
    assert!(
        nix::unistd::geteuid().is_root(),
        "kernel tests load BPF programs and make network namespaces: run them as root"
    );
    let _alone = alone().unwrap_or_else(|error| panic!("{error:#}"));
    NOTES.with_borrow_mut(|notes| *notes = Notes::default());
    let start = Instant::now();
    let result = body();
    // The test runner's own time includes waiting for the machine.
    eprintln!("--- took {:.1} s", start.elapsed().as_secs_f64());
    let notes = NOTES.take();
    if result.is_ok() && notes.leftovers.is_empty() {
        return;
    }
    for log in &notes.logs {
        let lines: Vec<&str> = log.lines().collect();
        eprintln!("--- the daemon wrote (last 40 lines) ---\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
    }
    for leftover in &notes.leftovers {
        eprintln!("--- left behind: {leftover}");
    }
    match result {
        Err(error) => panic!("{error:#}{}", places(&error)),
        Ok(()) => panic!("the test passed but left something behind"),
    }
}

/// The lines of the test that the error came through, when backtraces are on (RUST_BACKTRACE=1).
fn places(error: &anyhow::Error) -> String {
    let backtrace = error.backtrace().to_string();
    backtrace.lines().filter(|line| line.contains("/tests/")).map(|line| format!("\n  {}", line.trim())).collect()
}

fn alone() -> Result<Flock<File>> {
    let path = "/run/lock/meshaccel-kernel-tests";
    let file = File::create(path).or_else(|_| File::create("/tmp/meshaccel-kernel-tests.lock"))?;
    Flock::lock(file, FlockArg::LockExclusive)
        .map_err(|(_, errno)| errno)
        .with_context(|| format!("cannot lock {path}"))
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
