//! Two processes in one network namespace, and all that may carry their bytes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::cgroup::Cgroup;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::manifest::{Manifests, accelerate_everything, pod};
use meshaccel_e2e_harness::netns::Netns;
use meshaccel_e2e_load::exchange::{Exchange, Placement, Worker};
use meshaccel_e2e_load::pattern::{Address, Pattern};
use tempfile::TempDir;

use super::redirection::{Counters, Redirection};
use super::result::Measured;
use super::variant::Variant;
use crate::published::Published;

/// No sidecar listens there.
const PORT: u16 = 9100;
/// Of the pods' objects.
const NAMESPACE: &str = "bench";

/// One namespace a variant: sockets that one leaves behind (TIME_WAIT) are not met by another.
#[derive(Debug)]
pub struct Fixture {
    plain: Netns,
    selected: Netns,
    published: Netns,
    cgroup: Cgroup,
    directory: TempDir,
    /// The two processes on two processors instead of one.
    apart: bool,
}

impl Fixture {
    pub fn new(apart: bool) -> Result<Self> {
        let namespace = |label: &str| -> Result<Netns> {
            let netns = Netns::new(label)?;
            // A window of short connections uses up the ordinary range.
            let range = || std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "10000 65000");
            netns.enter(range)?.context("cannot widen the range of ports")?;
            Ok(netns)
        };
        Ok(Self {
            plain: namespace("plain")?,
            selected: namespace("selected")?,
            published: namespace("published")?,
            cgroup: Cgroup::new("published")?,
            directory: tempfile::Builder::new().prefix(&format!("ma-{}-", std::process::id())).tempdir()?,
            apart,
        })
    }

    /// One window of a variant. What it needs is put up for it and removed again.
    pub fn window(&self, variant: Variant, pattern: Pattern, length: Duration) -> Result<Measured> {
        match variant {
            Variant::Plain => Ok(without_daemon(self.start(&self.plain, None, pattern, &tcp())?.measure(length)?)),
            Variant::Unix => {
                let address = Address::Unix(self.socket());
                Ok(without_daemon(self.start(&self.plain, None, pattern, &address)?.measure(length)?))
            }
            Variant::Published => {
                let published = Published::attach(&self.cgroup)?;
                let mut exchange = self.start(&self.published, Some(self.cgroup.path()), pattern, &tcp())?;
                ensure!(!lives_long(pattern) || published.sockets()? >= 2, "the published design took no socket");
                Ok(without_daemon(exchange.measure(length)?))
            }
            Variant::Meshaccel => {
                let daemon = self.daemon()?;
                let mut exchange = self.start(&self.selected, None, pattern, &tcp())?;
                if lives_long(pattern) {
                    until_redirected(&daemon, &mut exchange)?;
                }
                let before = Counters::read(&daemon)?;
                let window = exchange.measure(length)?;
                let mut redirection = Counters::read(&daemon)?.since(&before, Some(window.bytes));
                redirection.look_at(&daemon.connections()?);
                drop(exchange);
                remove(daemon)?;
                Ok(Measured { window, redirection: Some(redirection) })
            }
        }
    }

    /// The same in a pod that is not selected, while another one is busy: with a daemon that accelerates the other
    /// ([`Variant::Meshaccel`]), or without any daemon. What is told of redirection is the other pod's.
    pub fn beside_another(&self, variant: Variant, pattern: Pattern, length: Duration) -> Result<Measured> {
        let daemon = (variant == Variant::Meshaccel).then(|| self.daemon()).transpose()?;
        let busy = Pattern::Ask { size: 64, connections: 1 };
        let place = Placement { netns: &self.selected, cgroup: None, processor: Some(1) };
        let _server = Worker::server(place, busy, &tcp())?;
        let mut other = Worker::client(place, busy, &tcp())?;
        // It is ended before that.
        other.go(Duration::from_secs(3600))?;
        let before = daemon.as_ref().map(Counters::read).transpose()?;
        let window = self.start(&self.plain, None, pattern, &tcp())?.measure(length)?;
        let Some((daemon, before)) = daemon.zip(before) else { return Ok(without_daemon(window)) };
        let redirection: Redirection = Counters::read(&daemon)?.since(&before, None);
        ensure!(redirection.redirected > 0, "the busy pod is not accelerated");
        drop(other);
        remove(daemon)?;
        Ok(Measured { window, redirection: Some(redirection) })
    }

    fn daemon(&self) -> Result<Daemon> {
        let pods = [pod(&format!("{NAMESPACE}/selected"), &self.selected)];
        Daemon::start("bench", Manifests::of(&accelerate_everything(NAMESPACE), &pods)?)
    }

    fn start(&self, netns: &Netns, cgroup: Option<&Path>, pattern: Pattern, address: &Address) -> Result<Exchange> {
        let client = Placement { netns, cgroup, processor: Some(0) };
        let server = Placement { processor: Some(usize::from(self.apart)), ..client };
        Exchange::start(server, client, pattern, address)
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }
}

/// To wait for the promotion of what does not would only leave more sockets in TIME_WAIT than the other variants have, and
/// connecting takes longer the more there are.
fn lives_long(pattern: Pattern) -> bool {
    !matches!(pattern, Pattern::Connect { .. })
}

fn tcp() -> Address {
    Address::Tcp(([127, 0, 0, 1], PORT).into())
}

/// What lives long is promoted some time, and measured then; what is not promoted within a second is measured as it is.
pub(super) fn until_redirected(daemon: &Daemon, exchange: &mut Exchange) -> Result<()> {
    for _ in 0..4 {
        if daemon.messages("redirected")? > 0 {
            break;
        }
        exchange.warm_up()?;
    }
    Ok(())
}

fn without_daemon(window: meshaccel_e2e_load::exchange::Window) -> Measured {
    Measured { window, redirection: None }
}

/// Nothing of it may be there in the next window: sockets of another network namespace pass its programs too.
fn remove(mut daemon: Daemon) -> Result<()> {
    daemon.stop()?;
    daemon.run_ok(&["uninstall"])?;
    Ok(())
}
