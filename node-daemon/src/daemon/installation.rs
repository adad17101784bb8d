//! The programs in this machine's kernel: there, or not.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use meshaccel_abi::Offsets;

use crate::args::DaemonArgs;
use crate::kernel::load::{self, Capacity};
use crate::kernel::pins::Pins;
use crate::kernel::visits::Tally;
use crate::kernel::{btf::Btf, offsets};
use crate::node::{Node, PodStatus};
use crate::select::Selection;
use crate::source::Problem;
use crate::status::Shared;
use crate::{Error, probe, uninstall};

/// How long an older layout's readers get before their sockets are left as they are.
const OLDER_LAYOUT: Duration = Duration::from_secs(5);
/// How long pods that are released get in the ordinary way, before everything is removed at once.
const RELEASE: Duration = Duration::from_secs(10);

/// What is installed, or can be.
pub struct Installation {
    pins: Pins,
    cgroup: PathBuf,
    capacity: Capacity,
    /// What the loader tells the programs of this kernel.
    offsets: Offsets,
    node: Option<Node>,
    /// Since when nothing is wanted any more.
    leaving: Option<Instant>,
}

impl Installation {
    /// Finds out what this kernel can do; installs nothing.
    pub fn prepare(args: &DaemonArgs, pins: &Pins, status: &Shared) -> Result<Self, Error> {
        let cgroup = crate::sys::files::cgroup2_root(&args.cgroup_root).ok_or(Error::NoCgroup2)?;
        let btf = Btf::of_kernel()?;
        let mut found = offsets::find(&btf)?;
        if args.without_casts {
            found.casts = 0;
        }
        let capabilities = probe::run(pins, &cgroup, &btf, &found)?;
        for finding in capabilities.findings.iter().filter(|finding| finding.matters && !finding.works) {
            tracing::warn!(what = finding.what, consequence = finding.consequence, "This kernel lacks something");
        }
        let offsets = Offsets {
            rmem_counts: capabilities.rmem_counts.into(),
            blocking_waits: capabilities.blocking_waits.into(),
            splices_seen: capabilities.splices_seen.into(),
            ..found
        };
        status.update(|s| s.capabilities = Some(capabilities));
        let capacity = Capacity { connections: args.max_connections };
        Ok(Self { pins: pins.clone(), cgroup, capacity, offsets, node: None, leaving: None })
    }

    /// What runs, if anything does.
    pub fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }

    /// Somebody has pinned something here.
    pub fn is_pinned(&self) -> bool {
        self.pins.layouts().is_ok_and(|layouts| !layouts.is_empty())
    }

    /// What was installed is not there any more.
    pub fn was_removed(&self) -> bool {
        self.node.is_some() && !self.pins.own().sock_ops_link().exists()
    }

    /// Retires other layouts, loads, attaches, pins; nothing when that is done.
    pub fn install(&mut self) -> Result<(), Error> {
        self.leaving = None;
        if self.node.is_some() {
            return Ok(());
        }
        for other in self.pins.layouts()?.into_iter().filter(|layout| layout.version != meshaccel_abi::LAYOUT) {
            let removed = uninstall::retire(&other, OLDER_LAYOUT)?;
            let (pins, unread) = (removed.pins, removed.unread);
            tracing::info!(layout = other.version, pins, unread, "Replaced another layout");
        }
        let layout = self.pins.create()?;
        let loaded = load::install(&self.offsets, self.capacity, &layout, &self.cgroup)?;
        self.node = Some(Node::open(&layout, loaded, &self.cgroup)?);
        tracing::info!(pins = %layout.folder().display(), cgroup = %self.cgroup.display(), "Attached programs");
        Ok(())
    }

    /// Removes everything, once the pods that were selected are released. They are not for ever waited for: a reader may
    /// never come.
    pub async fn leave(&mut self) -> Result<(), Error> {
        let Some(node) = &self.node else { return Ok(()) };
        let since = *self.leaving.get_or_insert_with(Instant::now);
        if !node.is_empty() && since.elapsed() < RELEASE {
            return Ok(());
        }
        self.node = None;
        self.leaving = None;
        let pins = self.pins.clone();
        let removed = tokio::task::spawn_blocking(move || -> Result<_, Error> {
            let removed = uninstall::retire(&pins.own(), OLDER_LAYOUT)?;
            pins.remove_root();
            Ok(removed)
        });
        let removed = match removed.await {
            Ok(removed) => removed?,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        let (pins, unread) = (removed.pins, removed.unread);
        tracing::info!(pins, unread, "No MeshAcceleration names this node: removed all programs and maps");
        Ok(())
    }

    /// Makes the maps say what the selection says, and tells what became of each pod.
    pub fn reconcile(&mut self, selection: &Selection) -> Result<(Vec<PodStatus>, Vec<Problem>), Error> {
        match &mut self.node {
            Some(node) => node.reconcile(selection, Instant::now()),
            None => Ok((Vec::new(), Vec::new())),
        }
    }

    /// All that was asked for is done, and the pods are where they were.
    pub fn is_settled(&self, now: Instant) -> bool {
        self.leaving.is_none() && self.node.as_ref().is_some_and(|node| node.is_settled(now))
    }

    /// When to reconcile again, if that is known.
    pub fn due(&self) -> Option<Instant> {
        self.node.as_ref().and_then(Node::due)
    }

    /// Some selected pod is being started.
    pub fn is_expecting(&self, now: Instant) -> bool {
        self.node.as_ref().is_some_and(|node| node.is_expecting(now))
    }

    /// Has one of those a sandbox by now?
    pub fn has_appeared(&mut self, selection: &Selection, now: Instant) -> bool {
        self.node.as_mut().is_some_and(|node| node.has_appeared(selection, now))
    }

    /// Waits until the programs ask for a pass, and gives the time when it may begin.
    pub async fn woken(&mut self) -> Instant {
        match &mut self.node {
            Some(node) => node.woken().await,
            None => std::future::pending().await,
        }
    }

    /// One pass: the time until the next, and what the last review counted.
    pub fn pass(&mut self) -> Result<(Duration, Tally), Error> {
        match &mut self.node {
            Some(node) => Ok((node.pass(Instant::now())?, node.tally().clone())),
            None => Ok((Duration::from_secs(1), Tally::default())),
        }
    }

    /// What is kept of pods that are long gone.
    pub fn forget_old(&mut self) {
        if let Some(node) = &mut self.node {
            node.forget_old(Instant::now());
        }
    }
}
