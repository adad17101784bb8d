//! nginx and redis in an accelerated namespace, without a sidecar: every byte of files, uploads and values compared.

use std::time::Duration;

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::fixture::Pods;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_harness::{both_promotions, wait};
use meshaccel_e2e_mesh::sweep;
use meshaccel_e2e_upstream::servers::Servers;

both_promotions!(nginx_and_redis);

/// Small answers on kept connections are promoted on evidence within this.
const PROMOTION_LIMIT: Duration = Duration::from_secs(40);

fn nginx_and_redis(promotion: Promotion) -> Result<()> {
    sweep::leftovers();
    let pods = Pods::new(2)?;
    let daemon = pods.accelerate_first(promotion)?;
    // The same outside first: what fails there says nothing of acceleration.
    Servers::start(pods.netns(1))?.exercise()?;
    ensure!(daemon.messages("redirected")? == 0, "something else in the namespace is accelerated");
    let servers = Servers::start(pods.netns(0))?;
    wait::until("messages to be redirected", PROMOTION_LIMIT, || {
        servers.exercise()?;
        Ok((daemon.messages("redirected")? > 1000).then_some(()))
    })?;
    let [early, late] = [daemon.events("promoted_early")?, daemon.events("promoted_late")?];
    eprintln!(
        "--- {promotion:?}: sockets promoted: {early} early, {late} late; messages redirected: {}",
        daemon.messages("redirected")?
    );
    Ok(())
}
