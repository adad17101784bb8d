//! The daemon's loop: the same for objects from a folder and from an API server.
//!
//! It hands the objects to each capability, has each do what is due, and reports. What that is, they know.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures::future::select_all;
use meshaccel_bpf::pins::Pins;
use meshaccel_bpf::sys::memory;
use meshaccel_model::{Capability, Objects, Turn};
use meshaccel_redirect::column::Redirect;
use meshaccel_redirect::installation::Options;
use meshaccel_redirect::kernel::programs::{Capacity, Without};
use meshaccel_sources::Source;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep_until;

use crate::args::DaemonArgs;
use crate::report::{self, Reporter};
use crate::status::Shared;
use crate::{Error, admin, uninstall};

/// How often there may be something new to report; the reporter decides.
const REPORT: Duration = Duration::from_millis(500);
/// The same where nobody reads reports.
const SELDOM: Duration = Duration::from_secs(60);
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
    let capabilities: Vec<Box<dyn Capability>> = vec![Box::new(Redirect::new(&pins, options(args)))];
    let views = capabilities.iter().map(|one| one.view()).collect();
    let server = endpoint.serve(views, status.clone()).map_err(Error::Serve)?;
    let Mode { source, reporter, uninstall_on_exit } = mode().await?;
    let mut daemon = Daemon {
        capabilities,
        cluster: matches!(source, Source::Cluster(_)),
        source,
        status,
        reporter,
        has_seen: false,
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
    capabilities: Vec<Box<dyn Capability>>,
    status: Shared,
    reporter: Option<Reporter>,
    /// The objects were seen.
    has_seen: bool,
}

impl Daemon {
    async fn follow(&mut self, signals: &mut Signals) -> Result<Ended, Error> {
        for capability in &mut self.capabilities {
            // In a cluster nothing is installed before some object asks for it.
            capability.begin(!self.cluster);
        }
        if let Some(objects) = self.source.objects() {
            self.see(&objects).await;
        }
        let mut next_report = Instant::now();
        loop {
            self.status.turned();
            tokio::select! {
                objects = self.source.changed() => if self.see(&objects).await {
                    next_report = Instant::now();
                },
                index = next_to_work(&mut self.capabilities) => {
                    if self.capabilities[index].work().await == Turn::Removed {
                        return Ok(Ended::Uninstalled);
                    }
                    self.see_whether_ready();
                }
                () = sleep_until(next_report.into()) => {
                    next_report = Instant::now() + if self.reporter.is_some() { REPORT } else { SELDOM };
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
    async fn see(&mut self, objects: &Objects) -> bool {
        self.has_seen = true;
        let mut follows = false;
        for capability in &mut self.capabilities {
            if capability.see(objects) {
                capability.reconcile().await;
                follows = true;
            }
        }
        self.see_whether_ready();
        follows
    }

    fn see_whether_ready(&self) {
        if self.status.is_ready() || !self.capabilities.iter().all(|one| one.is_ready()) {
            return;
        }
        self.status.update(|s| s.ready = true);
        if self.capabilities.iter().all(|one| one.failure().is_none()) {
            tracing::info!("Ready");
        }
        // The kernel's type information and the object were parsed; that memory is not needed again.
        memory::trim();
    }

    fn report(&mut self) {
        let lost = match &self.source {
            Source::Manifests(_) => None,
            Source::Cluster(cluster) => cluster.api_health().lost_for(),
        };
        self.status.update(|s| s.out_of_touch_s = lost.as_ref().map(|(since, _)| since.as_secs()));
        let Some(reporter) = &self.reporter else { return };
        // Before everything was seen once there is nothing to tell.
        if !self.has_seen {
            return;
        }
        let status = self.status.get();
        reporter.tell(report::compose(status.version, &status.kernel, &self.capabilities, lost.as_ref()));
    }
}

/// Waits until one of them has something to do: which.
async fn next_to_work(capabilities: &mut [Box<dyn Capability>]) -> usize {
    select_all(capabilities.iter_mut().map(|one| one.wait())).await.1
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
