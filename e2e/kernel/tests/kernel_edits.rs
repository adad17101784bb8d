//! Policy that is edited holds for the connections that there are: they leave the SOCKHASH under load, and come back.

use std::time::Duration;

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::bpf::count_keys;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::manifest::{Acceleration, Promotion, accelerate_everything};
use meshaccel_e2e_harness::traffic::{Family, Load, Pair, Service, request};
use meshaccel_e2e_harness::wait::wait_for;

both_promotions!(
    a_port_that_becomes_excluded_takes_its_connections_out,
    ends_that_are_no_sidecars_any_more_leave,
    a_narrower_scope_parts_the_pods,
);

const LIMIT: Duration = Duration::from_secs(20);

fn a_port_that_becomes_excluded_takes_its_connections_out(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let policy = accelerate_everything(NAMESPACE).promotion(promotion);
    let daemon = pods.accelerate_with(&policy, &[])?;
    let pairs = pods.pairs(0, Family::V4, 4)?;
    let excluded = policy.clone().exclude_ports(&[pairs[0].server.local()?.port()]);
    edited_and_back(&daemon, pairs, &policy, &excluded, "excluded_port")
}

fn ends_that_are_no_sidecars_any_more_leave(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let mut pairs = pods.pairs(0, Family::V4, 4)?;
    let everything = accelerate_everything(NAMESPACE).promotion(promotion);
    let policy = everything.clone().sidecar_ports(&[pairs[0].server.local()?.port()]);
    // A port that nobody has: both ends are applications.
    let edited = everything.sidecar_ports(&[1]);
    for pair in &mut pairs {
        request::by_hand(pair, 20, 64)?;
    }
    let daemon = pods.accelerate_with(&policy, &[])?;
    edited_and_back(&daemon, pairs, &policy, &edited, "not_app_to_sidecar")
}

fn a_narrower_scope_parts_the_pods(promotion: Promotion) -> Result<()> {
    let pods = Pods::joined()?;
    let local = accelerate_everything(NAMESPACE).promotion(promotion);
    let policy = local.clone().node_local();
    let daemon = pods.accelerate_with(&policy, &[])?;
    let pairs = Service::listen(Some(pods.netns(1)), (Pods::address(1), 0).into())?.pairs(Some(pods.netns(0)), 4)?;
    edited_and_back(&daemon, pairs, &policy, &local, "other_pod")
}

/// Redirected; edited: on TCP for that reason, with nothing in the SOCKHASH; edited back: redirected. Under load.
fn edited_and_back(
    daemon: &Daemon,
    mut pairs: Vec<Pair>,
    policy: &Acceleration,
    edited: &Acceleration,
    reason: &str,
) -> Result<()> {
    daemon.warm_all(&mut pairs)?;
    ensure!(count_keys(daemon.bpffs(), "ma_sockets")? == 2 * pairs.len(), "not all are in the SOCKHASH");
    let load = Load::start(pairs, 17);
    for _ in 0..3 {
        daemon.manifests.write("acceleration.yaml", &edited.yaml())?;
        wait_for(LIMIT, "every connection to be on TCP", || {
            let (entries, rows) = (count_keys(daemon.bpffs(), "ma_sockets")?, daemon.connections()?);
            ensure!(entries == 0, "{entries} sockets are in the SOCKHASH");
            let other = rows.0.iter().find(|row| row.reason.as_deref() != Some(reason));
            ensure!(other.is_none(), "{other:?}");
            Ok(())
        })?;
        daemon.manifests.write("acceleration.yaml", &policy.yaml())?;
        wait_for(LIMIT, "connections to be redirected again", || {
            let entries = count_keys(daemon.bpffs(), "ma_sockets")?;
            ensure!(entries > 0 || load.has_failed(), "none is in the SOCKHASH");
            Ok(())
        })?;
    }
    let mut pairs = load.finish()?;
    daemon.warm_all(&mut pairs)?;
    for mut pair in pairs {
        pair.close()?;
    }
    Ok(())
}
