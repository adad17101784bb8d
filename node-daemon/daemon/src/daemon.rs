//! The daemon's loop: the same for objects from a folder and from an API server.
//!
//! It follows the objects, looks after the connections, and reports. In a cluster nothing is in the kernel while no object
//! names the node: it comes with the first and goes after the last. Where nothing can be installed it stays, says why, and tries
//! again now and then.

mod same;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use meshaccel_bpf::pins::Pins;
use meshaccel_model::{Objects, Problem};
use meshaccel_redirect::installation::{Installation, Options};
use meshaccel_redirect::kernel::pinned::column;
use meshaccel_redirect::kernel::programs::{Capacity, Without};
use meshaccel_redirect::select::{Selection, names, select};
use meshaccel_service::Chain;
use meshaccel_sources::Source;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep_until;

use crate::args::DaemonArgs;
use crate::report::{self, Failure, Reporter};
use crate::status::Shared;
use crate::{Error, admin, uninstall};

/// How often selected pods are looked for again (a namespace may appear or vanish without a change of the objects).
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The same for pods that are being started: their first connections had better be recorded.
const LOOK_SOON: Duration = Duration::from_millis(100);
/// How often what is known of pods that are gone is forgotten, and how long a failed pass waits: nothing hangs on either.
const TIDY: Duration = Duration::from_secs(60);
/// How often there may be something new to report; the reporter decides.
const REPORT: Duration = Duration::from_millis(500);
/// How long readers get to take what is queued for them when everything is removed.
const UNREAD: Duration = Duration::from_secs(10);

/// What differs between the two.
pub struct Mode {
    pub source: Source,
    /// Nobody reads reports standalone.
    pub reporter: Option<Reporter>,
    pub uninstall_on_exit: bool,
}

/// Runs until a signal comes. `mode` is made once the admin endpoint answers.
pub async fn run(args: &DaemonArgs, mode: impl AsyncFnOnce() -> Result<Mode, Error>) -> Result<ExitCode, Error> {
    let mut signals = Signals::new().map_err(Error::Signals)?;
    let (status, pins) = (Shared::new(), Pins::new(&args.pins.bpffs));
    let endpoint = admin::Endpoint::bind(args.admin_address, &args.socket.admin_socket)?;
    let server = endpoint.serve(column(&pins).own(), status.clone()).map_err(Error::Serve)?;
    let Mode { source, reporter, uninstall_on_exit } = mode().await?;
    let mut daemon = Daemon {
        installation: Installation::new(&pins, options(args)),
        cluster: matches!(source, Source::Cluster(_)),
        source,
        status,
        reporter,
        world: None,
        said: BTreeSet::new(),
        failure: None,
    };
    let ended = daemon.follow(&mut signals).await;
    drop(server);
    drop(daemon);
    if ended? == Ended::Signal && uninstall_on_exit {
        return uninstall::command(&pins, UNREAD);
    }
    Ok(ExitCode::SUCCESS)
}

fn options(args: &DaemonArgs) -> Options {
    let without = Without {
        classifier: args.without_classifier,
        storage: args.without_storage,
        fentry: args.without_fentry,
        wake: args.without_wake,
    };
    let capacity = Capacity { connections: args.max_connections, without };
    Options { cgroups: args.cgroup_root.clone(), capacity, without_casts: args.without_casts }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Signal,
    Uninstalled,
}

struct Daemon {
    source: Source,
    cluster: bool,
    installation: Installation,
    status: Shared,
    reporter: Option<Reporter>,
    /// The objects as last seen, and what follows from them.
    world: Option<(Objects, Selection)>,
    /// Problems that were logged, so that each is logged once.
    said: BTreeSet<Problem>,
    /// Why the programs cannot be installed, or not removed.
    failure: Option<Failure>,
}

impl Daemon {
    async fn follow(&mut self, signals: &mut Signals) -> Result<Ended, Error> {
        // In a cluster what an earlier daemon has pinned goes on, and otherwise nothing is installed before some object asks for
        // it; but what this kernel can do is reported beforehand.
        self.failure = if !self.cluster || self.installation.is_pinned() {
            self.installation.install().err().map(Failure::from)
        } else {
            let _ = self.installation.prepare();
            None
        };
        self.tell_what_it_can();
        if let Some(objects) = self.source.objects() {
            self.see(objects).await;
        }
        let now = Instant::now();
        let (mut next_pass, mut next_look, mut next_try) = (now, now + LOOK_AGAIN, now);
        let (mut next_tidying, mut next_report) = (now + TIDY, now);
        loop {
            self.status.turned();
            let is_expecting = self.installation.is_expecting(Instant::now());
            let due = self.installation.due();
            let adoption = self.installation.adoption_is_due();
            tokio::select! {
                objects = self.source.changed() => if self.see(objects).await {
                    next_pass = Instant::now();
                    next_report = next_pass;
                },
                soonest = self.installation.woken() => next_pass = next_pass.min(soonest),
                () = sleep_until(next_pass.into()) => next_pass = Instant::now() + self.pass(),
                () = sleep_until(due.map_or(next_look, |due| due.min(next_look)).into()) => {
                    if self.installation.was_removed() {
                        tracing::info!("Uninstalled by somebody else; ending");
                        return Ok(Ended::Uninstalled);
                    }
                    if self.failure.is_some() || !self.installation.is_settled(Instant::now()) {
                        self.reconcile().await;
                    }
                    if due.is_some() {
                        // Sockets may leave that had to stay until then.
                        next_pass = Instant::now();
                    }
                    next_look = Instant::now() + LOOK_AGAIN;
                }
                () = sleep_until(next_try.into()), if is_expecting => {
                    if self.has_appeared() {
                        self.reconcile().await;
                    }
                    next_try = Instant::now() + LOOK_SOON;
                }
                () = sleep_until(adoption.unwrap_or(next_look).into()), if adoption.is_some() => self.installation.adopt(),
                () = sleep_until(next_tidying.into()) => {
                    next_tidying = Instant::now() + TIDY;
                    self.installation.forget_old();
                }
                () = sleep_until(next_report.into()) => {
                    next_report = Instant::now() + if self.reporter.is_some() { REPORT } else { TIDY };
                    self.report();
                }
                name = signals.next() => {
                    tracing::info!(signal = name, "Ending; what is pinned goes on");
                    return Ok(Ended::Signal);
                }
            }
        }
    }

    /// Takes note of the objects; true: something follows from them that did not before.
    async fn see(&mut self, objects: Objects) -> bool {
        let mut selection = select(&objects);
        selection.problems.splice(0..0, objects.problems.iter().cloned());
        let world = (objects, selection);
        // Probes, conditions, labels that nobody selects by: most of what happens to pods. What it costs to look at all of
        // them in the kernel is kept for what matters, and for the next look.
        let same = self.cluster && self.world.as_ref().is_some_and(|before| same::asks(before, &world));
        self.world = Some(world);
        if same {
            return false;
        }
        self.reconcile().await;
        true
    }

    /// Ready is who does what can be done here, so a node where nothing can be done does not hold up a roll-out to all others
    /// (and what is wrong there is for its NodeAcceleration to tell). But where an earlier daemon's programs run, one that
    /// cannot take them over is not ready: its version had better go no further.
    fn see_whether_ready(&self) {
        if self.status.get().ready || (self.failure.is_some() && self.installation.is_pinned()) {
            return;
        }
        self.status.update(|s| s.ready = true);
        if self.failure.is_none() {
            tracing::info!("Ready");
        }
        // The kernel's type information and the object were parsed; that memory is not needed again.
        meshaccel_bpf::sys::memory::trim();
    }

    /// Makes this machine what the objects say.
    #[tracing::instrument(skip_all)]
    async fn reconcile(&mut self) {
        // Before everything was seen once nobody knows what must go.
        let Some((objects, selection)) = &self.world else { return };
        let node = objects.node.as_deref();
        let needed = !self.cluster || objects.accelerations.iter().any(|one| names(&one.object, node));
        let installed = if needed { self.installation.install().map_err(Failure::from) } else { Ok(()) };
        self.tell_what_it_can();
        let reconciled = self.installation.reconcile(selection);
        // Perhaps that was the last pod.
        let left = if needed { Ok(()) } else { self.installation.leave().await.map_err(|error| Failure::from(&error)) };
        let failure = installed.and(left).err();
        if let Some(failure) = failure.as_ref().filter(|failure| !needed && self.failure.as_ref() != Some(failure)) {
            tracing::error!(error = failure.message, "Could not remove the programs");
        }
        self.failure = failure;
        self.see_whether_ready();
        let (pods, found) = match reconciled {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "Could not reconcile");
                return;
            }
        };
        let problems: BTreeSet<Problem> = selection.problems.iter().cloned().chain(found).collect();
        for problem in problems.difference(&self.said) {
            tracing::warn!("{problem}");
        }
        for problem in self.said.difference(&problems) {
            tracing::info!("Solved: {problem}");
        }
        self.status.update(|s| {
            s.pods = pods;
            s.problems = problems.iter().cloned().collect();
        });
        self.said = problems;
    }

    /// What this kernel can do, or why it cannot, for who asks.
    fn tell_what_it_can(&self) {
        let (capabilities, unsupported) = (self.installation.capabilities(), self.installation.unsupported());
        self.status.update(|s| {
            s.capabilities = capabilities.cloned();
            s.unsupported = unsupported.cloned();
        });
    }

    /// A pod that was being started has a sandbox now.
    fn has_appeared(&mut self) -> bool {
        let selection = self.world.as_ref().map(|(_, selection)| selection);
        selection.is_some_and(|selection| self.installation.has_appeared(selection, Instant::now()))
    }

    /// Gives the time until the next pass.
    fn pass(&mut self) -> Duration {
        let (pause, tally) = match self.installation.pass() {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "Could not look at the connections");
                return TIDY;
            }
        };
        self.status.update(|s| {
            s.connections = tally.total();
            s.last_review_us = u64::try_from(tally.took.as_micros()).unwrap_or(u64::MAX);
        });
        pause
    }

    fn report(&mut self) {
        let lost = match &self.source {
            Source::Manifests(_) => None,
            Source::Cluster(cluster) => cluster.contact().lost_for(),
        };
        self.status.update(|s| s.out_of_touch_s = lost.as_ref().map(|(since, _)| since.as_secs()));
        let (Some(reporter), Some((objects, selection))) = (&self.reporter, &self.world) else { return };
        let status = self.status.get();
        reporter.tell(report::compose(&report::Seen {
            objects,
            selection,
            status: &status,
            node: self.installation.node(),
            failure: self.failure.as_ref(),
            pinned: self.failure.is_some() && self.installation.is_pinned(),
            lost,
        }));
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
