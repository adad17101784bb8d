//! `run`: watch, take part in the election, lead when it is this replica's turn.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use kube::{Client, Config};
use meshaccel_service::telemetry;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::apply::Applier;
use crate::args::Run;
use crate::leader::election::USUAL;
use crate::leader::lease::Leases;
use crate::leader::{self, Leadership, Listener};
use crate::metrics::Metrics;
use crate::observe::{Cache, observe_all};
use crate::plan::observed::Outage;
use crate::{Error, admin, reconcile};

/// The Lease is given back, and scrapes end, in this time.
const FAREWELL: Duration = Duration::from_secs(3);

/// The command.
pub fn run(args: Run) -> Result<ExitCode, Error> {
    telemetry::install(&args.telemetry);
    tracing::info!(?args, "Started");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Signals)?;
    runtime.block_on(operator(args))
}

async fn operator(args: Run) -> Result<ExitCode, Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let client = client().await?;
    let identity = identity(args.identity.as_deref());
    let (cache, stop) = (Cache::default(), CancellationToken::new());
    let (hand, term) = Leadership::new();
    let metrics = Metrics::new(cache.clone(), term.clone());
    let listener = admin::bind(args.metrics_address).await?;
    let server = tokio::spawn(admin::serve(listener, cache.clone(), metrics.clone(), stop.clone()));
    tokio::spawn(observe_all(cache.clone(), client.clone(), args.namespace.clone()));
    let leases = Leases::new(client.clone(), &args.namespace);
    let election =
        tokio::spawn(leader::run(leases, identity.clone(), USUAL, hand, Health(cache.clone()), stop.clone()));

    // What leads is this one future: once it is dropped, nothing of this replica is writing.
    let name = tokio::select! {
        () = terms(&args, client, &cache, term, &metrics, &identity) => "end of the election",
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    tracing::info!(signal = name, "Ending");
    stop.cancel();
    let _ = tokio::time::timeout(FAREWELL, async { (election.await, server.await) }).await;
    Ok(ExitCode::SUCCESS)
}

/// Leads whenever it is this replica's turn.
async fn terms(args: &Run, client: Client, cache: &Cache, mut term: Leadership, metrics: &Metrics, identity: &str) {
    let settings = args.daemon();
    while term.begins().await {
        tracing::info!(identity, "Leading");
        let mut applier = Applier::new(client.clone(), term.clone(), metrics.clone(), identity.to_owned());
        tokio::select! {
            () = term.ends() => tracing::warn!(identity, "Not leading any more"),
            () = reconcile::lead(cache, &mut applier, &settings, metrics) => {}
        }
        reconcile::stop(cache);
    }
}

async fn client() -> Result<Client, Error> {
    let mut config = Config::infer().await.map_err(Error::Config)?;
    // A request must end while this replica still leads; tries are this program's own matter.
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(5));
    Client::try_from(config).map_err(Error::Client)
}

/// Unlike any other, also after a restart in the same pod: who comes back must not take itself for who went.
fn identity(name: Option<&str>) -> String {
    let machine = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    format!("{}_{:08x}", name.map_or_else(machine, str::to_owned), rand::random::<u32>())
}

/// What [`meshaccel_watch::ApiHealth`] calls the election.
const LEASE: &str = "Lease";

/// Passes on how the API server is doing.
struct Health(Cache);

impl Listener for Health {
    fn reached(&self) {
        if self.0.api_health().made(LEASE) {
            self.0.lock().outage_ended(Outage::Server, Instant::now());
        }
    }

    fn lost(&self, why: &str) {
        if self.0.api_health().lost(LEASE, why.to_owned()) {
            self.0.lock().outage_began(Outage::Server, Instant::now());
        }
    }

    fn rewound(&self) {
        tracing::warn!("The API server's store has gone back in time; reading everything again");
        self.0.reread();
    }
}
