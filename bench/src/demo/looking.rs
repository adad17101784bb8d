//! Looking at acceleration from outside while a load runs: the list of connections, checked bytes, and the switch,
//! whose effect tcpdump sees.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::interrupt;
use meshaccel_e2e_mesh::Mesh;
use meshaccel_e2e_mesh::generator::wrk::Wrk;

use super::packets;
use super::progress::Progress;
use crate::report::words;

/// Long enough for all that is looked at; the load is ended when that is done.
const LOAD_SECONDS: u32 = 60;
const PROMOTION_LIMIT: Duration = Duration::from_secs(10);
/// Lines of the list that are shown.
const SHOWN: usize = 9;

/// Returns the number of connections that were redirected.
pub(super) fn under_load(
    mesh: &Mesh,
    daemon: &Daemon,
    url: &str,
    connections: u32,
    progress: &mut Progress,
    check_bytes: impl Fn() -> Result<String>,
) -> Result<u64> {
    let _load = Wrk::start(mesh.client(), url, connections, LOAD_SECONDS)?;
    // Both ends of a connection are rows.
    let redirected = || {
        let rows = daemon.connections()?.0;
        Ok::<usize, anyhow::Error>(rows.iter().filter(|row| row.path == "redirected").count() / 2)
    };
    interrupt::until("the load's connections to be redirected", PROMOTION_LIMIT, || {
        Ok((redirected()? >= connections as usize).then_some(()))
    })?;
    progress.detail(&check_bytes()?);
    let seen = redirected()?;
    let list = daemon.run_ok(&["connections"])?;
    list.lines().take(SHOWN).for_each(|line| progress.detail(line));
    progress.detail(&format!("... {} lines more", list.lines().count().saturating_sub(SHOWN)));

    progress.step("Switching off and on again, watched by tcpdump on the client pod's loopback");
    let count = |label: &str| packets::per_second(mesh.client(), label).with_context(|| format!("tcpdump, {label}"));
    let on = count("on")?;
    daemon.run_ok(&["off"])?;
    let off = count("off")?;
    daemon.run_ok(&["on"])?;
    let again = count("on-again")?;
    let [on, off, again] = [on, off, again].map(|n| n as f64);
    let (a, b, c) = (words::thousands(on), words::thousands(off), words::thousands(again));
    progress.detail(&format!("packets per second: {a} redirected, {b} switched off, {c} switched on again"));
    ensure!(off > 10.0 * on.max(again), "the switch made no difference that tcpdump can see");
    Ok(seen as u64)
}
