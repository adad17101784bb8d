//! Everything at once, for as long as is asked for: connections that stay and connections that come and go, while meshaccel is
//! switched off and on, edited, killed and started again. Every byte is checked. `make soak` does it for an hour: half of it with each
//! way of promotion.
//!
//! * [`young`] the connections that come and go: half closes, resets, forks
//! * [`changes`] what happens to the installation meanwhile

pub mod changes;
pub mod young;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::daemon::{Daemon, PROMOTION_LIMIT};
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::machine::Machine;
use meshaccel_e2e_harness::manifest::{Promotion, accelerate_everything};
use meshaccel_e2e_harness::slowness::scaled;
use meshaccel_e2e_harness::traffic::{Family, Load, Pair, Service, request};
use meshaccel_e2e_harness::wait::until;

use changes::Changes;
use young::Young;

/// The environment variable that says for how many minutes; without it, [`BRIEF`].
pub const VARIABLE: &str = "MESHACCEL_SOAK_MINUTES";
const BRIEF: Duration = Duration::from_secs(40);
/// Between two lines that say how it goes.
const TELLS_EVERY: Duration = Duration::from_secs(60);
/// Connections of each kind that stay.
const STAY: usize = 6;
/// What found no gain while everything was changed, again and again, may stay out for 64 s (`meshaccel_decide::redirect::gain`).
const STAYS_OUT: Duration = Duration::from_secs(70);
/// The reasons for which it does.
const NO_GAIN: [&str; 3] = ["one_way", "backlogged", "takes_bulk"];

/// For how long.
pub fn duration() -> Result<Duration> {
    match std::env::var(VARIABLE) {
        Ok(minutes) => {
            let minutes: u64 = minutes.parse().with_context(|| format!("{VARIABLE}={minutes} is no whole number"))?;
            Ok(Duration::from_secs(60 * minutes))
        }
        Err(_) => Ok(BRIEF),
    }
}

/// The whole of it; fails with the first stream that is not what plain TCP would have made of it.
pub fn run(promotion: Promotion, duration: Duration) -> Result<()> {
    let machine = Machine::observe()?;
    let happened = live(promotion, duration)?;
    let grown = machine.compare()?;
    eprintln!("soak: {happened}; the kernel keeps {grown} kB more");
    Ok(())
}

fn live(promotion: Promotion, duration: Duration) -> Result<String> {
    let pods = Pods::joined()?;
    let policy = accelerate_everything(NAMESPACE).promotion(promotion).node_local();
    let mut daemon = pods.accelerate_with(&policy, &[])?;
    let mut pairs = staying(&pods)?;
    daemon.warm_all(&mut pairs)?;
    let load = Load::start(pairs, 53);
    let (stop, start) = (AtomicBool::new(false), Instant::now());
    let mut changes = Changes::new(policy);
    let young = std::thread::scope(|scope| -> Result<Young> {
        let guests = scope.spawn(|| Young::come_and_go(&pods, &stop));
        let changed = change(&mut daemon, &mut changes, duration, || load.has_failed() || guests.is_finished());
        stop.store(true, Ordering::Relaxed);
        let young = guests.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // A stream that broke says more than whatever broke with it.
        let young = young?;
        changed.map(|()| young)
    });
    let bouts = load.bouts();
    let mut pairs = load.finish()?;
    let young = young?;
    ensure!(young.all() > 0 && bouts > 0 && changes.made() > 0, "nothing happened: {young}, {bouts} bouts, {changes}");
    changes.undo(&daemon)?;
    // All that came is as fast as before it.
    for (index, pair) in pairs.iter_mut().enumerate() {
        if Load::asks(index) {
            wait_redirecting(&daemon, pair)?;
        }
        request::by_hand(pair, 5, 64)?;
        pair.close()?;
    }
    Ok(format!("{} s, {bouts} bouts of {} connections, {young}; {changes}", start.elapsed().as_secs(), 4 * STAY))
}

/// Asks and answers until messages are redirected again: as soon as ever, but for the time for which one that found no gain stays out.
fn wait_redirecting(daemon: &Daemon, pair: &mut Pair) -> Result<()> {
    let before = daemon.redirected(pair)?;
    let mut stays_out = Instant::now();
    until("redirection to come back", STAYS_OUT + PROMOTION_LIMIT, || {
        request::by_hand(pair, 5, 64)?;
        if daemon.redirected(pair)? > before {
            return Ok(Some(()));
        }
        let connections = daemon.connections()?;
        let (client, server) = connections.both(pair)?;
        if [client, server].iter().any(|row| row.reason.as_deref().is_some_and(|reason| NO_GAIN.contains(&reason))) {
            stays_out = Instant::now();
        }
        ensure!(stays_out.elapsed() < scaled(PROMOTION_LIMIT), "nothing is redirected: {client:?} {server:?}");
        Ok(None)
    })
}

/// Both families, inside a pod and between two.
fn staying(pods: &Pods) -> Result<Vec<Pair>> {
    let mut pairs = pods.pairs(0, Family::V4, STAY)?;
    pairs.extend(pods.pairs(0, Family::V6, STAY)?);
    pairs.extend(pods.pairs(1, Family::Mapped, STAY)?);
    let service = Service::listen(Some(pods.netns(1)), (Pods::address(1), 0).into())?;
    pairs.extend(service.pairs(Some(pods.netns(0)), STAY)?);
    Ok(pairs)
}

/// One change after the other, until it is time or something has failed.
fn change(daemon: &mut Daemon, changes: &mut Changes, duration: Duration, has_failed: impl Fn() -> bool) -> Result<()> {
    let start = Instant::now();
    let mut told = Duration::ZERO;
    while start.elapsed() < duration && !has_failed() {
        changes.make_one(daemon)?;
        if start.elapsed() - told > TELLS_EVERY {
            told = start.elapsed();
            eprintln!("soak: {} of {} minutes, {changes}", told.as_secs() / 60, duration.as_secs() / 60);
        }
    }
    Ok(())
}
