//! The programs in this machine's kernel: there, or not.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use meshaccel_abi::Offsets;

use super::obstacle::Obstacle;
use crate::args::DaemonArgs;
use crate::kernel::kick::Wakes;
use crate::kernel::load::{self, Capacity, Without};
use crate::kernel::pins::Pins;
use crate::kernel::visits::Tally;
use crate::kernel::{btf::Btf, offsets};
use crate::node::{Node, PodStatus};
use crate::probe::{self, Unsupported};
use crate::select::Selection;
use crate::source::Problem;
use crate::status::Shared;
use crate::{Error, uninstall};

/// How long an older layout's readers get before their sockets are left as they are.
const OLDER_LAYOUT: Duration = Duration::from_secs(5);
/// How long pods that are released get in the ordinary way, before everything is removed at once.
const RELEASE: Duration = Duration::from_secs(10);

/// What is installed, or can be.
pub struct Installation {
    pins: Pins,
    /// Where the machine's cgroups are.
    cgroups: PathBuf,
    without_casts: bool,
    capacity: Capacity,
    status: Shared,
    /// What this kernel can do, once that was found out.
    prepared: Option<Prepared>,
    /// Why nothing can be installed.
    obstacle: Option<Obstacle>,
    node: Option<Node>,
    /// Since when nothing is wanted any more.
    leaving: Option<Instant>,
}

#[derive(Clone)]
struct Prepared {
    cgroup: PathBuf,
    /// What the loader tells the programs of this kernel.
    offsets: Offsets,
}

impl Installation {
    /// Nothing yet.
    pub fn new(args: &DaemonArgs, pins: &Pins, status: &Shared) -> Self {
        Self {
            pins: pins.clone(),
            cgroups: args.cgroup_root.clone(),
            without_casts: args.without_casts,
            capacity: Capacity {
                connections: args.max_connections,
                without: Without {
                    classifier: args.without_classifier,
                    storage: args.without_storage,
                    fentry: args.without_fentry,
                    wake: args.without_wake,
                },
            },
            status: status.clone(),
            prepared: None,
            obstacle: None,
            node: None,
            leaving: None,
        }
    }

    /// Finds out what this kernel can do; installs nothing.
    pub fn prepare(&mut self) -> Result<(), Unsupported> {
        self.attempt(|own| own.find_out().map(drop))
    }

    /// Retires other layouts, loads, attaches, pins; nothing when that is done. What cannot be done is tried again later, by
    /// itself: until then each call fails alike, at no cost.
    pub fn install(&mut self) -> Result<(), Unsupported> {
        self.leaving = None;
        if self.node.is_some() {
            return Ok(());
        }
        self.attempt(Self::put_in)
    }

    /// Tries, unless the last failure was just now.
    fn attempt(&mut self, step: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Unsupported> {
        if let Some(obstacle) = self.obstacle.as_ref().filter(|obstacle| obstacle.holds(Instant::now())) {
            return Err(obstacle.cause.clone());
        }
        let result = step(self);
        let before = self.obstacle.take();
        match result {
            Ok(()) => before.into_iter().for_each(Obstacle::gone),
            Err(error) => {
                // It is all looked at anew the next time.
                self.prepared = None;
                self.obstacle = Some(Obstacle::met(&error, before));
            }
        }
        let cause = self.obstacle.as_ref().map(|obstacle| obstacle.cause.clone());
        self.status.update(|s| s.unsupported = cause.clone());
        cause.map_or(Ok(()), Err)
    }

    fn find_out(&mut self) -> Result<Prepared, Error> {
        if let Some(prepared) = &self.prepared {
            return Ok(prepared.clone());
        }
        let cgroup = probe::cgroup(&self.cgroups)?;
        let btf = Btf::of_kernel()?;
        let mut found = offsets::find(&btf)?;
        if self.without_casts {
            found.casts = 0;
        }
        let capabilities = probe::run(&self.pins, &cgroup, &found, self.capacity.without)?;
        for finding in capabilities.findings.iter().filter(|finding| finding.matters && !finding.works) {
            tracing::warn!(what = finding.what, consequence = finding.consequence, "This kernel lacks something");
        }
        let offsets = Offsets {
            rmem_counts: capabilities.rmem_counts.into(),
            blocking_waits: capabilities.blocking_waits.into(),
            habits_seen: capabilities.habits_seen,
            fionread: capabilities.fionread.as_number(),
            wakes: (capabilities.wakes == Wakes::Program).into(),
            ..found
        };
        self.status.update(|s| s.capabilities = Some(capabilities));
        Ok(self.prepared.insert(Prepared { cgroup, offsets }).clone())
    }

    fn put_in(&mut self) -> Result<(), Error> {
        let Prepared { cgroup, offsets } = self.find_out()?;
        let layouts = self.pins.layouts()?;
        let (own, others): (Vec<_>, Vec<_>) =
            layouts.into_iter().partition(|layout| layout.version == meshaccel_abi::LAYOUT);
        for other in others {
            let removed = uninstall::retire(&other, OLDER_LAYOUT)?;
            let (pins, unread) = (removed.pins, removed.unread);
            tracing::info!(layout = other.version, pins, unread, "Replaced another layout");
        }
        let layout = self.pins.create()?;
        let _alone = layout.lock(false)?;
        let installed = load::install(&offsets, self.capacity, &layout, &cgroup).map_err(Error::from);
        if installed.is_ok() && uninstall::take_back(&layout) {
            tracing::info!("An uninstall was killed and had switched this node off: the switch is as it was");
        }
        match installed.and_then(|loaded| Node::open(&layout, loaded, &cgroup)) {
            Ok(node) => self.node = Some(node),
            Err(error) => {
                if own.is_empty() {
                    // Half of it is of no use to anybody.
                    layout.remove()?;
                    self.pins.remove_root();
                }
                return Err(error);
            }
        }
        tracing::info!(pins = %layout.folder().display(), cgroup = %cgroup.display(), "Attached programs");
        Ok(())
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

    /// Removes everything, once the pods that were selected are released. They are not for ever waited for: a reader may
    /// never come.
    pub async fn leave(&mut self) -> Result<(), Error> {
        if let Some(node) = &self.node {
            let since = *self.leaving.get_or_insert_with(Instant::now);
            if !node.is_empty() && since.elapsed() < RELEASE {
                return Ok(());
            }
            self.node = None;
            self.leaving = None;
        }
        // Without a node: what an earlier daemon has pinned, and this one could not take over.
        let layouts = self.pins.layouts()?;
        if layouts.is_empty() {
            return Ok(());
        }
        let pins = self.pins.clone();
        let removed = tokio::task::spawn_blocking(move || -> Result<_, Error> {
            let mut sum = uninstall::Removed::default();
            for layout in layouts {
                // Unpinning what cannot be retired would throw away what is unread.
                layout.may_open()?;
                let removed = uninstall::retire(&layout, OLDER_LAYOUT)?;
                sum = uninstall::Removed { pins: sum.pins + removed.pins, unread: sum.unread + removed.unread };
            }
            pins.remove_root();
            Ok(sum)
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

    /// When connections between pods that were open before are to be looked for.
    pub fn adoption_is_due(&self) -> Option<Instant> {
        self.node.as_ref().and_then(Node::adoption_is_due)
    }

    /// The next part of that.
    pub fn adopt(&mut self) {
        if let Some(node) = &mut self.node {
            node.adopt(Instant::now());
        }
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
