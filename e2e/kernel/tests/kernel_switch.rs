//! Invariant 7: the switch takes effect at the next send, loses nothing, and comes back by itself when it was told to.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::Pods;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_harness::traffic::{Family, Load, request};
use meshaccel_e2e_harness::wait::wait_until;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

both_promotions!(
    the_switch_thrown_at_random_loses_nothing,
    off_is_off_from_the_next_send_on,
    off_for_one_pod_leaves_the_others,
    off_for_a_while_ends_by_itself,
    off_for_a_while_ends_also_when_the_daemon_is_dead,
);

const LIMIT: Duration = Duration::from_secs(20);

fn the_switch_thrown_at_random_loses_nothing(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let mut pairs = pods.pairs(0, Family::V4, 6)?;
    pairs.extend(pods.pairs(0, Family::V6, 6)?);
    daemon.warm_all(&mut pairs)?;
    let load = Load::start(pairs, 31);
    let pod = pods.name(0);
    let mut dice = StdRng::seed_from_u64(31);
    let verbs: [&[&str]; 7] = [
        &["off"],
        &["on"],
        &["on"],
        &["off", "--pod", &pod],
        &["on", "--pod", &pod],
        &["off", "--for", "1s"],
        &["off", "--pod", &pod, "--for", "1s"],
    ];
    for _ in 0..250 {
        daemon.run_ok(verbs[dice.random_range(0..verbs.len())])?;
        if load.has_failed() {
            break;
        }
    }
    daemon.run_ok(&["on"])?;
    daemon.run_ok(&["on", "--pod", &pod])?;
    let mut pairs = load.finish()?;
    for reason in ["redirected", "switched_off", "pod_switched_off"] {
        ensure!(daemon.messages(reason)? > 100, "{} messages were {reason}", daemon.messages(reason)?);
    }
    for (index, pair) in pairs.iter_mut().enumerate() {
        // The streams may have gone back to TCP, being no gain, and stay there for a while.
        if Load::asks(index) {
            daemon.wait_redirecting(pair)?;
        }
        request::by_hand(pair, 5, 64)?;
        pair.close()?;
    }
    Ok(())
}

fn off_is_off_from_the_next_send_on(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    for _ in 0..3 {
        daemon.run_ok(&["off"])?;
        let before = daemon.connections()?;
        request::by_hand(&mut pair, 100, 1000)?;
        let after = daemon.connections()?;
        let (client_before, client_after) = (before.both(&pair)?.0, after.both(&pair)?.0);
        ensure!(client_after.redirected == client_before.redirected, "redirected while off: {client_after:?}");
        // The packets are there again, for tcpdump and for every counter of the stack.
        let sent = client_after.tcp.sent_bytes - client_before.tcp.sent_bytes;
        // The last of them may not have been acknowledged yet.
        ensure!((90_000..=100_000).contains(&sent), "TCP sent {sent} of 100000 bytes while off");
        ensure!(
            client_after.reason.as_deref() == Some("switched_off") && client_after.path == "tcp",
            "{client_after:?}"
        );
        daemon.run_ok(&["on"])?;
        daemon.wait_redirecting(&mut pair)?;
    }
    // Nothing enters the SOCKHASH either: whoever uninstalls counts on that.
    daemon.run_ok(&["off"])?;
    let mut young = pods.pair(0)?;
    let several_passes = Instant::now() + Duration::from_secs(1);
    while Instant::now() < several_passes {
        request::by_hand(&mut young, 20, 64)?;
        let connections = daemon.connections()?;
        let (client, server) = connections.both(&young)?;
        ensure!(!client.promoted && !server.promoted, "promoted while off: {client:?} {server:?}");
    }
    daemon.run_ok(&["on"])?;
    daemon.wait_redirecting(&mut young)
}

fn off_for_one_pod_leaves_the_others(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(2)?;
    let daemon = pods.accelerate(promotion)?;
    // One service a pod on different ports: rows are told apart by address.
    let (mut first, mut second) = (pods.pair(0)?, pods.pair(1)?);
    daemon.warm(&mut first)?;
    daemon.warm(&mut second)?;
    daemon.run_ok(&["off", "--pod", &pods.name(0)])?;
    let before = daemon.redirected(&first)?;
    request::by_hand(&mut first, 50, 64)?;
    ensure!(daemon.redirected(&first)? == before, "the pod that was switched off is redirected");
    daemon.wait_redirecting(&mut second)?;
    daemon.run_ok(&["on", "--pod", &pods.name(0)])?;
    daemon.wait_redirecting(&mut first)?;
    let wrong = daemon.run(&["off", "--pod", "e2e/no-such-pod"])?;
    ensure!(wrong.code == Some(1) && wrong.stderr.contains("e2e/no-such-pod"), "{wrong:?}");
    Ok(())
}

fn off_for_a_while_ends_by_itself(promotion: Promotion) -> Result<()> {
    off_for_a_while(promotion, |_| Ok(()))
}

fn off_for_a_while_ends_also_when_the_daemon_is_dead(promotion: Promotion) -> Result<()> {
    off_for_a_while(promotion, Daemon::kill9)
}

fn off_for_a_while(promotion: Promotion, then: fn(&mut Daemon) -> Result<()>) -> Result<()> {
    let pods = Pods::new(1)?;
    let mut daemon = pods.accelerate(promotion)?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    daemon.run_ok(&["off", "--for", "3s"])?;
    let start = Instant::now();
    let before = daemon.redirected(&pair)?;
    then(&mut daemon)?;
    request::by_hand(&mut pair, 50, 64)?;
    ensure!(daemon.redirected(&pair)? == before, "redirected while off");
    wait_until(LIMIT, "redirection to come back", || {
        request::by_hand(&mut pair, 5, 64).ok()?;
        (daemon.redirected(&pair).ok()? > before).then_some(())
    })?;
    let took = start.elapsed();
    ensure!(took > Duration::from_millis(2500), "`off --for 3s` lasted {took:?}");
    ensure!(took < Duration::from_secs(8), "`off --for 3s` lasted {took:?}");
    Ok(())
}
