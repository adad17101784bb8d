//! `standalone`: the daemon with objects from a folder.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use meshaccel_abi::Offsets;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use crate::args::Standalone;
use crate::kernel::load::{self, Capacity};
use crate::kernel::pins::Pins;
use crate::kernel::{btf::Btf, offsets};
use crate::node::Node;
use crate::select::{Selection, select};
use crate::source::{ManifestFolder, Problem, Source};
use crate::status::Shared;
use crate::{Chain, Error, admin, probe, telemetry, uninstall};

/// How often selected pods are looked for again (a namespace may appear or vanish without a change of the manifests).
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How often stale records are swept: they cost memory, nothing else.
const SWEEP: Duration = Duration::from_secs(60);
/// How long an older layout's readers get before their sockets are left as they are.
const OLDER_LAYOUT: Duration = Duration::from_secs(5);

/// The command.
pub fn run(args: Standalone) -> Result<ExitCode, Error> {
    telemetry::install(&args.telemetry);
    tracing::info!(?args, "Started");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Signals)?;
    runtime.block_on(daemon(args))
}

async fn daemon(args: Standalone) -> Result<ExitCode, Error> {
    if !nix::unistd::geteuid().is_root() {
        return Err(Error::NotRoot);
    }
    let mut signals = Signals::new().map_err(Error::Signals)?;
    let mut source = Source::Manifests(ManifestFolder::open(&args.manifests).map_err(Error::Manifests)?);
    let (status, stop) = (Shared::new(), CancellationToken::new());
    let pins = Pins::new(&args.pins.bpffs);
    let listener = admin::bind(args.admin_address).await?;
    let server = tokio::spawn(admin::serve(listener, pins.own(), status.clone(), stop.clone()));

    let mut node = install(&args, &pins, &status)?;
    let mut round = Round { status: status.clone(), selection: select(&source.objects()), said: BTreeSet::new() };
    round.problems_of(&source);
    round.reconcile(&mut node);
    status.update(|s| s.ready = true);
    tracing::info!("Ready");
    // The kernel's type information and the object were parsed; that memory is not needed again.
    crate::sys::memory::trim();

    let (mut next_pass, mut next_look, mut next_sweep) =
        (Instant::now(), Instant::now() + LOOK_AGAIN, Instant::now() + SWEEP);
    loop {
        tokio::select! {
            objects = source.changed() => {
                round.selection = select(&objects);
                round.problems_of(&source);
                round.reconcile(&mut node);
                next_pass = Instant::now();
            }
            () = sleep_until(next_pass.into()) => {
                match node.pass(Instant::now()) {
                    Ok(pause) => next_pass = Instant::now() + pause,
                    Err(error) => {
                        tracing::error!(error = %Chain(&error), "Could not look at the connections");
                        next_pass = Instant::now() + SWEEP;
                    }
                }
                let tally = node.tally().clone();
                status.update(|s| {
                    s.connections = tally.total();
                    s.last_review_us = u64::try_from(tally.took.as_micros()).unwrap_or(u64::MAX);
                });
            }
            () = sleep_until(next_look.into()) => {
                next_look = Instant::now() + LOOK_AGAIN;
                if !pins.own().sock_ops_link().exists() {
                    tracing::info!("Uninstalled by somebody else; ending");
                    stop.cancel();
                    let _ = server.await;
                    return Ok(ExitCode::SUCCESS);
                }
                round.reconcile(&mut node);
            }
            () = sleep_until(next_sweep.into()) => {
                next_sweep = Instant::now() + SWEEP;
                if let Err(error) = node.sweep() {
                    tracing::warn!(error = %Chain(&error), "Could not sweep stale records");
                }
            }
            name = signals.next() => {
                tracing::info!(signal = name, uninstall = args.uninstall_on_exit, "Ending");
                break;
            }
        }
    }
    stop.cancel();
    let _ = server.await;
    drop(node);
    if args.uninstall_on_exit {
        return uninstall::command(&pins, Duration::from_secs(10));
    }
    Ok(ExitCode::SUCCESS)
}

/// Self-test, retire other layouts, load, attach, pin.
fn install(args: &Standalone, pins: &Pins, status: &Shared) -> Result<Node, Error> {
    let cgroup = crate::sys::files::cgroup2_root().ok_or(Error::NoCgroup2)?;
    let btf = Btf::of_kernel()?;
    let capabilities = probe::run(pins, &btf)?;
    for finding in capabilities.findings.iter().filter(|finding| finding.matters && !finding.works) {
        tracing::warn!(what = finding.what, consequence = finding.consequence, "This kernel lacks something");
    }
    let offsets = Offsets {
        rmem_counts: capabilities.rmem_counts.into(),
        blocking_waits: capabilities.blocking_waits.into(),
        splices_seen: capabilities.splices_seen.into(),
        ..offsets::find(&btf)?
    };
    drop(btf);
    status.update(|s| s.capabilities = Some(capabilities));
    for other in pins.layouts()?.into_iter().filter(|layout| layout.version != meshaccel_abi::LAYOUT) {
        let removed = uninstall::retire(&other, OLDER_LAYOUT)?;
        tracing::info!(layout = other.version, pins = removed.pins, unread = removed.unread, "Replaced another layout");
    }
    let layout = pins.create()?;
    let capacity = Capacity { connections: args.max_connections };
    let loaded = load::install(&offsets, capacity, &layout, &cgroup)?;
    tracing::info!(pins = %layout.folder().display(), cgroup = %cgroup.display(), "Attached programs");
    Node::open(&layout, loaded)
}

/// What one round of reconciling needs besides the node.
struct Round {
    status: Shared,
    selection: Selection,
    /// Problems that were logged, so that each is logged once.
    said: BTreeSet<Problem>,
}

impl Round {
    fn problems_of(&mut self, source: &Source) {
        let mut problems = source.objects().problems;
        problems.append(&mut self.selection.problems);
        self.selection.problems = problems;
    }

    fn reconcile(&mut self, node: &mut Node) {
        let (pods, found) = match node.reconcile(&self.selection, Instant::now()) {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "Could not reconcile");
                return;
            }
        };
        let problems: BTreeSet<Problem> = self.selection.problems.iter().cloned().chain(found).collect();
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
