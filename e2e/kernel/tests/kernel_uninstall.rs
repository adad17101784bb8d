//! Uninstall: under traffic, twice, by the daemon's own end; nothing wrong on any stream and nothing left in the kernel.

use std::time::Duration;

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::bpf::{Object, Objects};
use meshaccel_e2e_harness::daemon::{self, Daemon};
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::manifest::{Promotion, accelerate_everything};
use meshaccel_e2e_harness::traffic::{Family, Load, request};
use meshaccel_e2e_harness::wait::{wait_for, wait_until};

both_promotions!(
    uninstall_under_load_loses_nothing_and_leaves_nothing,
    the_daemon_uninstalls_at_its_end_when_asked,
    uninstall_may_be_repeated_and_installed_again,
    an_uninstall_that_is_killed_leaves_no_switch_off,
);

const LIMIT: Duration = Duration::from_secs(20);

/// None of these exists any more, and no pin.
fn nothing_left(daemon: &Daemon, objects: &Objects) -> Result<()> {
    ensure!(objects.len() > 10, "an installation of only {} kernel objects was seen", objects.len());
    ensure!(
        objects
            .iter()
            .all(|object| object.name.starts_with("ma_") || object.name.is_empty() || object.name.starts_with('.')),
        "{objects:?}"
    );
    ensure!(!daemon.bpffs().exists(), "{} is still there", daemon.bpffs().display());
    wait_for(LIMIT, "programs, maps and links to be freed", || {
        let left: Vec<&Object> = objects.iter().filter(|object| object.still_exists().unwrap_or(true)).collect();
        ensure!(left.is_empty(), "left: {left:?}");
        Ok(())
    })
}

fn uninstall_under_load_loses_nothing_and_leaves_nothing(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let mut daemon = pods.accelerate(promotion)?;
    let mut pairs = pods.pairs(0, Family::V4, 12)?;
    daemon.warm_all(&mut pairs)?;
    let mut load = Load::start(pairs, 51);
    // First with the daemon stopped, as the documentation says; then after a crash.
    for crash in [false, true] {
        let objects = daemon.objects()?;
        if crash {
            daemon.kill9()?;
        } else {
            daemon.stop()?;
        }
        let said = daemon.run_ok(&["uninstall"])?;
        ensure!(!said.trim().is_empty(), "uninstall does not say what it removed");
        nothing_left(&daemon, &objects)?;
        go_on(&load)?;
        let mut pairs = load.finish()?;
        daemon.restart()?;
        daemon.warm_all(&mut pairs)?;
        load = Load::start(pairs, 52);
        go_on(&load)?;
    }
    for mut pair in load.finish()? {
        pair.close()?;
    }
    Ok(())
}

fn go_on(load: &Load) -> Result<()> {
    let more = load.bouts() + 40;
    wait_until(LIMIT, "the load to go on", || (load.bouts() >= more || load.has_failed()).then_some(()))
}

fn the_daemon_uninstalls_at_its_end_when_asked(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let policy = accelerate_everything(NAMESPACE).promotion(promotion);
    let mut daemon = pods.accelerate_with(&policy, &["--uninstall-on-exit"])?;
    let mut pairs = pods.pairs(0, Family::V6, 8)?;
    daemon.warm_all(&mut pairs)?;
    let load = Load::start(pairs, 53);
    let objects = daemon.objects()?;
    daemon.stop()?;
    nothing_left(&daemon, &objects)?;
    go_on(&load)?;
    for mut pair in load.finish()? {
        request::by_hand(&mut pair, 3, 64)?;
        pair.close()?;
    }
    Ok(())
}

fn uninstall_may_be_repeated_and_installed_again(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let mut daemon = pods.accelerate(promotion)?;
    for _ in 0..3 {
        let mut pair = pods.pair(0)?;
        daemon.warm(&mut pair)?;
        // Unread in both directions, on both paths, while everything goes away.
        pair.client.send(100)?;
        pair.server.send(200)?;
        let objects = daemon.objects()?;
        daemon.kill9()?;
        daemon.run_ok(&["off"])?;
        pair.client.send(300)?;
        pair.server.send(400)?;
        // Redirected bytes that nobody reads: taking their receiver out would throw them away. So it says that they are
        // there, and those sockets keep the program until they close.
        let said = daemon.run_ok(&["uninstall", "--timeout", "1s"])?;
        ensure!(said.contains("2 sockets") && said.contains("not read"), "{said}");
        pair.server.receive(400)?;
        pair.client.receive(600)?;
        for _ in 0..2 {
            daemon.run_ok(&["uninstall"])?;
        }
        request::by_hand(&mut pair, 5, 64)?;
        pair.close()?;
        drop(pair);
        nothing_left(&daemon, &objects)?;
        daemon.restart()?;
    }
    Ok(())
}

/// Killed in its wait for a reader, with the switch off already. Nobody has asked for that; a person's own `off` stays.
fn an_uninstall_that_is_killed_leaves_no_switch_off(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let mut daemon = pods.accelerate(promotion)?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    for off_before in [false, true] {
        pair.client.send(100)?;
        daemon.kill9()?;
        if off_before {
            daemon.run_ok(&["off"])?;
        }
        die_in_uninstall(&daemon)?;
        pair.server.receive(100)?;
        daemon.restart()?;
        let mut other = pods.pair(0)?;
        if off_before {
            for pair in [&mut pair, &mut other] {
                let before = daemon.redirected(pair)?;
                request::by_hand(pair, 50, 64)?;
                ensure!(daemon.redirected(pair)? == before, "redirected though a person had switched off");
            }
            daemon.run_ok(&["on"])?;
        }
        daemon.warm(&mut other)?;
        let before = daemon.redirected(&pair)?;
        wait_for(LIMIT, "the older connection to be redirected again", || {
            request::by_hand(&mut pair, 12, 64)?;
            ensure!(daemon.redirected(&pair)? > before, "it stays on TCP");
            Ok(())
        })?;
        other.close()?;
    }
    // What a person says in between counts.
    daemon.kill9()?;
    pair.client.send(100)?;
    die_in_uninstall(&daemon)?;
    pair.server.receive(100)?;
    daemon.run_ok(&["off"])?;
    daemon.restart()?;
    let before = daemon.redirected(&pair)?;
    request::by_hand(&mut pair, 50, 64)?;
    ensure!(daemon.redirected(&pair)? == before, "redirected though a person had switched off");
    pair.close()?;
    Ok(())
}

/// Starts an uninstall, which waits for a reader, and kills it there.
fn die_in_uninstall(daemon: &Daemon) -> Result<()> {
    let mut command = std::process::Command::new(daemon::binary()?);
    command.args(["uninstall", "--timeout", "600s", "--bpffs"]).arg(daemon.bpffs());
    let mut uninstall = daemon::spawn(command)?;
    let link = daemon.layout()?.join("ma_sockops");
    // The link goes when the switch is off.
    let waits = wait_until(LIMIT, "the uninstall to begin", || (!link.exists()).then_some(()));
    let ended = uninstall.try_wait()?;
    uninstall.kill()?;
    uninstall.wait()?;
    waits?;
    ensure!(ended.is_none(), "the uninstall was over before it was killed: {ended:?}");
    Ok(())
}
