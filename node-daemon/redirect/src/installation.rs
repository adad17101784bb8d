//! The programs in this machine's kernel: there, or not.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use meshaccel_abi::redirect::Offsets;
use meshaccel_bpf::btf::Btf;
use meshaccel_bpf::pins::{Column, Pins};
use meshaccel_model::Problem;

use crate::kernel::pinned::{column, layouts, may_open, remove, sock_ops_link};
use crate::kernel::programs::Capacity;
use crate::kernel::visits::Tally;
use crate::kernel::wake_readers::Wakes;
use crate::kernel::{install, offsets};
use crate::node::{Node, PodStatus};
use crate::obstacle::Obstacle;
use crate::probe::{self, Capabilities, Unsupported};
use crate::select::Selection;
use crate::{Error, retire};

/// How long an older layout's readers get before their sockets are left as they are.
const OLDER_LAYOUT: Duration = Duration::from_secs(5);
/// How long pods that are released get in the ordinary way, before everything is removed at once.
const RELEASE: Duration = Duration::from_secs(10);

/// What whoever runs the daemon decides.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the machine's cgroup hierarchies are mounted.
    pub cgroups: PathBuf,
    pub capacity: Capacity,
    /// Other sockets are read by a helper, as on kernels before Linux 6.17.
    pub without_casts: bool,
}

/// What is installed, or can be.
pub struct Installation {
    pins: Pins,
    options: Options,
    /// What the self-test found, the last time that it ran.
    capabilities: Option<Capabilities>,
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
    pub fn new(pins: &Pins, options: Options) -> Self {
        Self {
            pins: pins.clone(),
            options,
            capabilities: None,
            prepared: None,
            obstacle: None,
            node: None,
            leaving: None,
        }
    }

    fn column(&self) -> Column {
        column(&self.pins)
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
        self.unsupported().map_or(Ok(()), |cause| Err(cause.clone()))
    }

    /// Why nothing can be installed here.
    pub fn unsupported(&self) -> Option<&Unsupported> {
        self.obstacle.as_ref().map(|obstacle| &obstacle.cause)
    }

    /// What the self-test of this kernel found, if it ran.
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.capabilities.as_ref()
    }

    fn find_out(&mut self) -> Result<Prepared, Error> {
        if let Some(prepared) = &self.prepared {
            return Ok(prepared.clone());
        }
        let cgroup = probe::cgroup(&self.options.cgroups)?;
        let btf = Btf::of_kernel()?;
        let mut found = offsets::find(&btf)?;
        if self.options.without_casts {
            found.casts = 0;
        }
        let capabilities = probe::run(&self.pins, &cgroup, &found, self.options.capacity.without)?;
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
        self.capabilities = Some(capabilities);
        Ok(self.prepared.insert(Prepared { cgroup, offsets }).clone())
    }

    fn put_in(&mut self) -> Result<(), Error> {
        let Prepared { cgroup, offsets } = self.find_out()?;
        let layouts = layouts(&self.pins)?;
        let (own, others): (Vec<_>, Vec<_>) = layouts.into_iter().partition(|layout| *layout == self.column().own());
        for other in others {
            let removed = retire::retire(&other, OLDER_LAYOUT)?;
            let (pins, unread) = (removed.pins, removed.unread);
            tracing::info!(layout = other.version, pins, unread, "Replaced another layout");
        }
        let layout = self.column().create()?;
        let _alone = layout.lock(false)?;
        let installed = install::install(&offsets, self.options.capacity, &layout, &cgroup).map_err(Error::from);
        if installed.is_ok() && retire::take_back(&layout) {
            tracing::info!("An uninstall was killed and had switched this node off: the switch is as it was");
        }
        match installed.and_then(|loaded| Node::open(&layout, loaded, &cgroup)) {
            Ok(node) => self.node = Some(node),
            Err(error) => {
                if own.is_empty() {
                    // Half of it is of no use to anybody.
                    remove(&layout)?;
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
        layouts(&self.pins).is_ok_and(|layouts| !layouts.is_empty())
    }

    /// What was installed is not there any more.
    pub fn was_removed(&self) -> bool {
        self.node.is_some() && !sock_ops_link(&self.column().own()).exists()
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
        let layouts = layouts(&self.pins)?;
        if layouts.is_empty() {
            return Ok(());
        }
        let pins = self.pins.clone();
        let removed = tokio::task::spawn_blocking(move || -> Result<_, Error> {
            let mut sum = retire::Removed::default();
            for layout in layouts {
                // Unpinning what cannot be retired would throw away what is unread.
                may_open(&layout)?;
                let removed = retire::retire(&layout, OLDER_LAYOUT)?;
                sum = retire::Removed { pins: sum.pins + removed.pins, unread: sum.unread + removed.unread };
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
    pub fn import_is_due(&self) -> Option<Instant> {
        self.node.as_ref().and_then(Node::import_is_due)
    }

    /// The next part of that.
    pub fn import(&mut self) {
        if let Some(node) = &mut self.node {
            node.import(Instant::now());
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

    /// Waits until the programs ask for a scan, and gives the time when it may begin.
    pub async fn woken(&mut self) -> Instant {
        match &mut self.node {
            Some(node) => node.woken().await,
            None => std::future::pending().await,
        }
    }

    /// One scan: the time until the next, and what the last full resync counted.
    pub fn scan(&mut self) -> Result<(Duration, Tally), Error> {
        match &mut self.node {
            Some(node) => Ok((node.scan(Instant::now())?, node.tally().clone())),
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
