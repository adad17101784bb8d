//! The daemon's one loop body: observe, plan, apply, and the scans over connections. Owns the open maps and programs;
//! knows nothing of where objects come from.

mod carry_out;
mod importing;
mod leavers;
mod pace;
mod pod;
mod rounds;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use self::importing::Importing;
use self::leavers::Leavers;
use self::pace::Pace;
use self::pod::pod_name;
pub use self::pod::{PodState, PodStatus};
use meshaccel_bpf::maps::MapsError;
use meshaccel_bpf::pins::Layout;
use meshaccel_bpf::sys::netns;
use meshaccel_model::{NetnsCookie, PodName, Problem};
use meshaccel_workload::{LocateError, Locator, PodNetns};

use crate::kernel::install::Loaded;
use crate::kernel::maps::Maps;
use crate::kernel::visits::{Namespaces, Resync, Tally};
use crate::kernel::wake::Wake;
use crate::plan::Target;
use crate::pods::Slot;
use crate::select::{SelectedPod, Selection};

/// How long a pod without a sandbox is looked for at short intervals.
const EXPECTED_FOR: Duration = Duration::from_secs(30);

/// The running installation.
pub struct Node {
    maps: Maps,
    loaded: Loaded,
    locator: Locator,
    /// Since when each slot does not enforce.
    passing_since: BTreeMap<Slot, Instant>,
    tally: Tally,
    scan_pace: Pace,
    resync_pace: Pace,
    leavers: Leavers,
    /// Connections between pods that were open before.
    importing: Importing,
    /// When the last scan began.
    passed: Instant,
    wake: Wake,
    /// A full resync that is not over.
    resyncing: Option<Resync>,
    /// When the last full resync began, and what had happened by then.
    resynced: Option<(Instant, u64)>,
    /// Since when all selected pods are where they are, and all is done for them.
    settled: Option<Instant>,
    /// Where selected pods live.
    namespaces: Namespaces,
    /// The programs that see what applications do are attached.
    watching: Option<bool>,
    /// Targets of the last plan, so that nothing is read or written while nothing changes.
    planned: Option<Vec<Target>>,
    /// The last plan waits for a grace period, or something failed.
    unfinished: bool,
    /// When it can go on.
    due: Option<Instant>,
    /// Slots of pods that the programs know, as of the last plan.
    slots: BTreeMap<PodName, Slot>,
    /// Selected pods that have no sandbox yet, and since when they are known.
    expected: BTreeMap<PodName, Instant>,
    /// Whose pods the slots are, or were: names of MeshAccelerations.
    owners: BTreeMap<Slot, String>,
    /// Slots whose pods are not selected any more, and that are not free yet.
    leaving: BTreeSet<Slot>,
    /// Redirected bytes of each MeshAcceleration since this daemon runs, and of each slot when they were last added.
    redirected: BTreeMap<String, u64>,
    totals: BTreeMap<Slot, u64>,
}

impl Node {
    /// Opens what `load::install` has pinned.
    pub fn open(layout: &Layout, loaded: Loaded, cgroups: &Path) -> Result<Self, crate::Error> {
        let mut node = Self {
            maps: Maps::open(layout)?,
            leavers: Leavers::start(layout, &loaded)?,
            loaded,
            locator: Locator::new(cgroups),
            passing_since: BTreeMap::new(),
            tally: Tally::default(),
            scan_pace: Pace::default(),
            resync_pace: Pace::default(),
            importing: Importing::default(),
            passed: Instant::now(),
            wake: Wake::open(layout)?,
            resyncing: None,
            resynced: None,
            settled: None,
            namespaces: Namespaces::new(),
            // An earlier daemon's links may be there: they are replaced, or removed.
            watching: None,
            planned: None,
            unfinished: false,
            due: None,
            slots: BTreeMap::new(),
            expected: BTreeMap::new(),
            owners: BTreeMap::new(),
            leaving: BTreeSet::new(),
            redirected: BTreeMap::new(),
            totals: BTreeMap::new(),
        };
        // What is there belongs to somebody, until the objects are known: nobody's release is complete before.
        node.leaving = node.maps.policies()?.into_iter().map(|(slot, _)| slot).collect();
        // Where it lives is for the objects to say, but what is pinned goes on before they can be read.
        let pods: BTreeSet<NetnsCookie> = node.maps.pods()?.into_iter().map(|pod| pod.cookie).collect();
        node.namespaces = netns::find(&pods);
        node.leavers.live_at(&node.namespaces);
        for slot in node.leaving.clone() {
            node.totals.insert(slot, node.maps.total(slot)?);
        }
        Ok(node)
    }

    /// Some selected pod has no sandbox yet: it is worth while to look again soon. Not for ever: it may wait for a volume, or
    /// be about to go.
    pub fn is_expecting(&self, now: Instant) -> bool {
        self.expected.values().any(|since| now.duration_since(*since) < EXPECTED_FOR)
    }

    /// Has one of those a sandbox by now? Asks for no other pod.
    pub fn has_appeared(&mut self, selection: &Selection, now: Instant) -> bool {
        let mut expected =
            selection.pods.iter().filter(|pod| self.expected.contains_key(&pod_name(&pod.namespace, &pod.name)));
        expected.any(|pod| !matches!(self.locator.locate(&pod.location, now), Err(LocateError::NoSandbox)))
    }

    /// Nothing is selected, and nothing is left of what was.
    pub fn is_empty(&self) -> bool {
        self.leaving.is_empty() && self.planned.as_ref().is_some_and(Vec::is_empty)
    }

    /// How many pods are still being released; of this MeshAcceleration, or of one that an earlier daemon knew.
    pub fn leaving(&self, acceleration: &str) -> usize {
        self.leaving.iter().filter(|slot| self.owners.get(slot).is_none_or(|owner| owner == acceleration)).count()
    }

    /// Bytes redirected for a MeshAcceleration since this daemon runs.
    pub fn redirected(&self, acceleration: &str) -> u64 {
        self.redirected.get(acceleration).copied().unwrap_or(0)
    }

    /// Nothing has changed since the last reconciliation but, perhaps, the objects: asks the kernel one thing a pod.
    pub fn is_settled(&self, now: Instant) -> bool {
        self.settled.is_some_and(|since| now.duration_since(since) < self.locator.believed())
            && self.locator.is_unchanged()
    }

    /// When to reconcile again, if that is known.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// When the next part of the importing of connections between pods is due.
    pub fn import_is_due(&self) -> Option<Instant> {
        self.importing.due()
    }

    /// The next part of it.
    pub fn import(&mut self, now: Instant) {
        if self.importing.begins() {
            let node_local = self.planned.iter().flatten().filter(|target| target.settings.node_local);
            let namespaces = node_local.filter_map(|target| self.namespaces.get(&target.cookie));
            self.importing.begin(namespaces.cloned().collect(), now);
        }
        self.importing.go_on(&self.loaded.import, &mut self.maps, now);
    }

    /// What the last full resync counted.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Makes the maps say what the selection says. Cheap when nothing changed.
    #[tracing::instrument(skip_all, fields(pods = selection.pods.len()))]
    pub fn reconcile(
        &mut self,
        selection: &Selection,
        now: Instant,
    ) -> Result<(Vec<PodStatus>, Vec<Problem>), crate::Error> {
        self.settled = None;
        self.due = None;
        let mut statuses: Vec<PodStatus> = selection.skipped.iter().map(PodStatus::skipped).collect();
        let (mut problems, mut namespaces, mut targets) = (Vec::new(), Vec::new(), Vec::new());
        let mut inhabited = BTreeMap::<NetnsCookie, &SelectedPod>::new();
        let mut expected = BTreeMap::new();
        for pod in &selection.pods {
            let found = self.locator.locate(&pod.location, now);
            if matches!(found, Err(LocateError::NoSandbox)) {
                // It is being started, or stopped.
                let name = pod_name(&pod.namespace, &pod.name);
                let since = self.expected.get(&name).copied().unwrap_or(now);
                expected.insert(name, since);
                statuses.push(PodStatus::absent(pod, PodState::Expected, LocateError::NoSandbox.to_string()));
                continue;
            }
            let found = found.map_err(|error| error.to_string());
            let found = found.and_then(|found_netns| match inhabited.insert(found_netns.namespace.cookie(), pod) {
                Some(first) => {
                    inhabited.insert(found_netns.namespace.cookie(), first);
                    Err(format!("is the network namespace of {}/{} already", first.namespace, first.name))
                }
                None => Ok(found_netns),
            });
            match found {
                Ok(found_netns) => {
                    targets.push(target(pod, &found_netns));
                    namespaces.push(found_netns);
                    statuses.push(PodStatus::located(pod));
                }
                Err(message) => {
                    statuses.push(PodStatus::absent(pod, PodState::Unreachable, message.clone()));
                    problems.push(pod.problem(message));
                }
            }
        }
        self.expected = expected;
        if self.unfinished {
            // Whether a slot may be given back is asked of its sockets as they are now.
            self.resync()?;
        }
        if self.unfinished || self.planned.as_ref() != Some(&targets) {
            let mut by_cookie = BTreeMap::new();
            for PodNetns { namespace, .. } in &namespaces {
                by_cookie.insert(namespace.cookie(), namespace);
            }
            let no_slot = self.carry_out(&targets, &by_cookie, now)?;
            for status in &mut statuses {
                if no_slot.contains(&status.pod) {
                    status.state = PodState::Unreachable;
                    status.message =
                        Some(format!("all {} places for pods are taken", meshaccel_abi::redirect::policy::MAX_PODS));
                }
            }
            self.planned = Some(targets);
            // What is allowed of the connections that there are may have changed.
            self.resynced = None;
            self.resyncing = None;
        }
        let all_done = problems.is_empty() && self.expected.is_empty() && !self.unfinished;
        self.settled = all_done.then_some(now);
        self.namespaces = self.still_needed()?;
        self.namespaces.extend(namespaces.into_iter().map(|r| (r.namespace.cookie(), r.namespace)));
        self.leavers.live_at(&self.namespaces);
        self.fill_in(&mut statuses);
        Ok((statuses, problems))
    }

    /// Where pods lived that are being released: their readers may have to be woken.
    fn still_needed(&mut self) -> Result<Namespaces, MapsError> {
        let mut known = std::mem::take(&mut self.namespaces);
        if self.leaving.is_empty() {
            return Ok(Namespaces::new());
        }
        let taken: BTreeSet<u64> = self.maps.policies()?.iter().map(|(_, policy)| policy.netns_cookie).collect();
        known.retain(|cookie, _| taken.contains(&cookie.0));
        Ok(known)
    }

    fn fill_in(&mut self, statuses: &mut [PodStatus]) {
        for status in statuses {
            status.slot = self.slots.get(&status.pod).copied();
            if let Some(slot) = status.slot.filter(|_| status.state != PodState::Skipped) {
                self.owners.insert(slot, status.acceleration.clone());
            }
            status.sockets = status.slot.and_then(|slot| self.tally.slots.get(&slot).copied()).unwrap_or_default();
        }
    }
}

fn target(pod: &SelectedPod, found_netns: &PodNetns) -> Target {
    Target {
        pod: pod_name(&pod.namespace, &pod.name),
        cookie: found_netns.namespace.cookie(),
        settings: pod.settings.clone(),
        keep_alive: found_netns.keep_alive,
    }
}
