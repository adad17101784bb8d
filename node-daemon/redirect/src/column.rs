//! Redirection as the daemon drives it: when what is done.
//!
//! In a cluster nothing is in the kernel while no object names the node: it comes with the first and goes after the last. Where nothing can
//! be installed it says why, and tries again now and then.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use meshaccel_bpf::pins::Pins;
use meshaccel_crds::NodeAccelerationStatus;
use meshaccel_model::{Capability, Doing, Failure, Objects, Problem, Turn, View};
use meshaccel_service::Chain;
use tokio::time::sleep_until;

use crate::installation::{Installation, Options};
use crate::kernel::pinned::column;
use crate::report::{Seen, report};
use crate::same;
use crate::select::{Selection, select, selects_node};
use crate::view::Shown;

/// How often selected pods are looked for again (a namespace may appear or vanish without a change of the objects).
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The same for pods that are being started: their first connections had better be recorded.
const LOOK_SOON: Duration = Duration::from_millis(100);
/// How often what is known of pods that are gone is forgotten, and how long a failed scan waits: nothing hangs on either.
const TIDY: Duration = Duration::from_secs(60);

/// The capability.
pub struct Redirect {
    installation: Installation,
    /// The objects as last seen, and what follows from them.
    world: Option<(Objects, Selection)>,
    /// Problems that were logged, so that each is logged once.
    said: BTreeSet<Problem>,
    /// Why the programs cannot be installed, or not removed.
    failure: Option<Failure>,
    /// What it tells, to the daemon and to who asks.
    shown: Shown,
    next: Next,
}

/// When what is due.
struct Next {
    scan: Instant,
    look: Instant,
    /// For pods that are being started.
    try_again: Instant,
    tidying: Instant,
}

impl Next {
    /// The programs ask for a scan.
    fn scan_from(&mut self, soonest: Instant) {
        self.scan = self.scan.min(soonest);
    }
}

impl Redirect {
    /// Nothing is installed yet.
    pub fn new(pins: &Pins, options: Options) -> Self {
        let now = Instant::now();
        Self {
            installation: Installation::new(pins, options),
            world: None,
            said: BTreeSet::new(),
            failure: None,
            shown: Shown::new(column(pins).own()),
            next: Next { scan: now, look: now + LOOK_AGAIN, try_again: now, tidying: now + TIDY },
        }
    }

    /// What this kernel can do, or why it cannot, for who asks.
    fn tell_what_it_can(&mut self) {
        let capabilities = self.installation.capabilities().cloned();
        let unsupported = self.installation.unsupported().cloned();
        self.shown.update(|status| {
            status.capabilities = capabilities;
            status.unsupported = unsupported;
        });
    }

    #[tracing::instrument(name = "reconcile", skip_all, fields(capability = "redirect"))]
    async fn reconcile_all(&mut self) {
        // Before everything was seen once nobody knows what must go.
        let Some((objects, selection)) = &self.world else { return };
        let node = objects.node.as_deref();
        let needed = node.is_none() || objects.accelerations.iter().any(|one| selects_node(&one.object, node));
        let installed = if needed { self.installation.install().map_err(Failure::from) } else { Ok(()) };
        let reconciled = self.installation.reconcile(selection);
        // Perhaps that was the last pod.
        let left = if needed { Ok(()) } else { self.installation.leave().await.map_err(|error| Failure::from(&error)) };
        let failure = installed.and(left).err();
        if let Some(failure) = failure.as_ref().filter(|failure| !needed && self.failure.as_ref() != Some(failure)) {
            tracing::error!(error = failure.message, "Could not remove the programs");
        }
        self.failure = failure;
        let found = match reconciled {
            Ok(done) => Some(done),
            Err(error) => {
                tracing::error!(error = %Chain(&error), "Could not reconcile");
                None
            }
        };
        let problems = selection.problems.clone();
        self.tell_what_it_can();
        if let Some((pods, found)) = found {
            let problems = problems.into_iter().chain(found).collect();
            self.say(&problems);
            self.shown.update(|status| {
                status.pods = pods;
                status.problems = problems.iter().cloned().collect();
            });
            self.said = problems;
        }
    }

    /// What is wrong, and what is not any more: each once.
    fn say(&self, problems: &BTreeSet<Problem>) {
        for problem in problems.difference(&self.said) {
            tracing::warn!("{problem}");
        }
        for problem in self.said.difference(problems) {
            tracing::info!("Solved: {problem}");
        }
    }

    /// A pod that was being started has a sandbox now.
    fn has_appeared(&mut self) -> bool {
        let selection = self.world.as_ref().map(|(_, selection)| selection);
        selection.is_some_and(|selection| self.installation.has_appeared(selection, Instant::now()))
    }

    /// Gives the time until the next scan.
    fn scan(&mut self) -> Duration {
        let (pause, tally) = match self.installation.scan() {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "Could not look at the connections");
                return TIDY;
            }
        };
        self.shown.update(|status| {
            status.connections = tally.total();
            status.last_resync_us = u64::try_from(tally.took.as_micros()).unwrap_or(u64::MAX);
        });
        pause
    }

    /// When selected pods are looked for: as known, or now and then.
    fn look_due(&self) -> Instant {
        self.installation.due().map_or(self.next.look, |due| due.min(self.next.look))
    }

    /// The time of whatever comes first.
    fn due(&self) -> Instant {
        let expecting = self.installation.is_expecting(Instant::now()).then_some(self.next.try_again);
        let other = [self.next.scan, self.look_due(), self.next.tidying];
        let sooner = expecting.into_iter().chain(self.installation.import_is_due());
        other.into_iter().chain(sooner).fold(self.next.scan, Instant::min)
    }

    /// What is due, and nothing else: what takes long comes one by one, so that the loop turns in between.
    async fn work_at(&mut self, now: Instant) -> Turn {
        if self.look_due() <= now {
            return self.look().await;
        }
        if self.installation.is_expecting(now) && self.next.try_again <= now {
            if self.has_appeared() {
                self.reconcile_all().await;
            }
            self.next.try_again = Instant::now() + LOOK_SOON;
        } else if self.next.scan <= now {
            self.next.scan = Instant::now() + self.scan();
        } else if self.installation.import_is_due().is_some_and(|due| due <= now) {
            self.installation.import();
        } else if self.next.tidying <= now {
            self.next.tidying = Instant::now() + TIDY;
            self.installation.forget_old();
        }
        Turn::Done
    }

    async fn look(&mut self) -> Turn {
        let was_due = self.installation.due().is_some();
        if self.installation.was_removed() {
            tracing::info!("Uninstalled by somebody else; ending");
            return Turn::Removed;
        }
        if self.failure.is_some() || !self.installation.is_settled(Instant::now()) {
            self.reconcile_all().await;
        }
        if was_due {
            // Sockets may leave that had to stay until then.
            self.next.scan = Instant::now();
        }
        self.next.look = Instant::now() + LOOK_AGAIN;
        Turn::Done
    }
}

impl Capability for Redirect {
    fn name(&self) -> &'static str {
        meshaccel_abi::redirect::NAME
    }

    fn view(&self) -> Arc<dyn View> {
        Arc::new(self.shown.clone())
    }

    fn begin(&mut self, install: bool) {
        if install || self.is_pinned() {
            self.failure = self.installation.install().err().map(Failure::from);
        } else {
            // What is in the way is told by the first object that asks for it.
            let _ = self.installation.prepare();
        }
        self.tell_what_it_can();
    }

    fn see(&mut self, objects: &Objects) -> bool {
        let mut selection = select(objects);
        selection.problems.splice(0..0, objects.problems.iter().cloned());
        let world = (objects.clone(), selection);
        // Probes, conditions, labels that nobody selects by: most of what happens to pods. What it costs to look at all of
        // them in the kernel is kept for what matters, and for the next look.
        let in_cluster = objects.node.is_some();
        let same = in_cluster && self.world.as_ref().is_some_and(|before| same::asks(before, &world));
        self.world = Some(world);
        !same
    }

    fn reconcile(&mut self) -> Doing<'_, ()> {
        Box::pin(async {
            self.reconcile_all().await;
            self.next.scan = Instant::now();
        })
    }

    fn wait(&mut self) -> Doing<'_, ()> {
        Box::pin(async {
            loop {
                let due = self.due();
                tokio::select! {
                    () = sleep_until(due.into()) => return,
                    soonest = self.installation.woken() => self.next.scan_from(soonest),
                }
            }
        })
    }

    fn work(&mut self) -> Doing<'_, Turn> {
        Box::pin(self.work_at(Instant::now()))
    }

    fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    fn is_pinned(&self) -> bool {
        self.installation.is_pinned()
    }

    fn report(&self, into: &mut NodeAccelerationStatus) {
        let Some((objects, selection)) = &self.world else { return };
        let seen = Seen {
            objects,
            selection,
            status: &self.shown.status(),
            node: self.installation.node(),
            failure: self.failure.as_ref(),
            pinned: self.failure.is_some() && self.is_pinned(),
        };
        report(&seen, into);
    }
}
