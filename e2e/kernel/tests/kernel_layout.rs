//! Invariant 8 across versions: a daemon that finds pins of another layout retires them without breaking a connection.
//!
//! The other version is made by renaming the folder of the pins: what a daemon knows of a foreign layout is its folder's
//! name, the map `ma_switches` and the iterator `ma_retire`, and it may use nothing else.

use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_bpf::pins::{Layout, Pins};
use meshaccel_bpf::sys::bpf;
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::Pods;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_harness::traffic::{Family, Load, request};
use meshaccel_e2e_harness::wait::{wait_for, wait_until};

both_promotions!(another_layout_is_replaced_under_load, a_half_made_layout_is_replaced);

const LIMIT: Duration = Duration::from_secs(20);

fn layouts(daemon: &Daemon) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(daemon.column())?.collect::<Result<Vec<_>, _>>()?;
    let mut names: Vec<_> = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

fn another_layout_is_replaced_under_load(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let mut daemon = pods.accelerate(promotion)?;
    let mut pairs = pods.pairs(0, Family::V4, 12)?;
    daemon.warm_all(&mut pairs)?;
    let load = Load::start(pairs, 57);
    daemon.kill9()?;
    let own = layouts(&daemon)?.pop().context("a layout is pinned")?;
    std::fs::rename(daemon.column().join(&own), daemon.column().join("layout-4242"))?;

    daemon.restart()?;
    let bouts = load.bouts() + 20;
    wait_until(LIMIT, "the load to go on", || (load.bouts() >= bouts || load.has_failed()).then_some(()))?;
    let mut pairs = load.finish()?;
    ensure!(layouts(&daemon)? == [own], "pinned are {:?}", layouts(&daemon)?);
    // The same connections, recorded anew by the new version, which promotes them on evidence.
    wait_for(LIMIT, "every connection that asks to be promoted again", || {
        for pair in &mut pairs {
            request::by_hand(pair, 12, 64)?;
        }
        let connections = daemon.connections()?;
        ensure!(connections.0.len() == 24, "{} sockets are recorded", connections.0.len());
        // The streams may have gained nothing, again and again, and stay out for a while.
        for pair in pairs.iter().enumerate().filter(|(index, _)| Load::asks(*index)).map(|(_, pair)| pair) {
            let (client, server) = connections.both(pair)?;
            ensure!(client.promoted && server.promoted, "not promoted: {client:?} {server:?}");
        }
        Ok(())
    })?;
    for (index, mut pair) in pairs.into_iter().enumerate() {
        let before = daemon.redirected(&pair)?;
        request::by_hand(&mut pair, 20, 64)?;
        let more = daemon.redirected(&pair)? - before;
        let connections = daemon.connections()?;
        let both = connections.both(&pair)?;
        ensure!(more >= 30 || !Load::asks(index), "connection {index} is not redirected again: {more} more, {both:?}");
        pair.close()?;
    }
    Ok(())
}

/// A daemon of another version that died while it installed: maps without iterators.
fn a_half_made_layout_is_replaced(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let mut daemon = pods.accelerate(promotion)?;
    daemon.kill9()?;
    let own = layouts(&daemon)?.pop().context("a layout is pinned")?;
    let other = daemon.column().join("layout-4242");
    std::fs::rename(daemon.column().join(&own), &other)?;
    for name in ["ma_sockops", "ma_retire", "ma_list"] {
        std::fs::remove_file(other.join(name))?;
    }
    daemon.restart()?;
    ensure!(layouts(&daemon)? == [own], "pinned are {:?}", layouts(&daemon)?);
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    pair.close()?;
    Ok(())
}

/// Before capabilities had columns, the layouts of the only one were at the root; of the same number, too.
#[test]
fn what_was_pinned_before_there_were_columns_is_replaced() -> Result<()> {
    let pods = Pods::new(1)?;
    let mut daemon = pods.accelerate(Promotion::Auto)?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    daemon.kill9()?;
    let own = layouts(&daemon)?.pop().context("a layout is pinned")?;
    let old = daemon.bpffs().join(&own);
    std::fs::rename(daemon.column().join(&own), &old)?;
    daemon.restart()?;
    ensure!(layouts(&daemon)? == [own] && !old.exists(), "pinned are {:?}", layouts(&daemon)?);
    daemon.warm(&mut pair)?;
    pair.close()?;
    Ok(())
}

/// Another capability's pins, in a column of their own, stay as they are when the layout of redirection changes, and when redirection is
/// uninstalled; and theirs changes and goes without a connection noticing.
#[test]
fn capabilities_are_apart() -> Result<()> {
    let pods = Pods::new(1)?;
    let mut daemon = pods.accelerate(Promotion::Auto)?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    let pins = Pins::new(daemon.bpffs());
    let pin = |version| -> Result<Layout> {
        let layout = pins.column("other", version).create()?;
        for (name, value) in [("ma_switches", 1), ("ma_retire", 2), ("ma_sockops", 3)] {
            bpf::pin(bpf::number_map(name, value)?.as_fd(), &layout.path(name))?;
        }
        Ok(layout)
    };
    let untouched = |layout: &Layout| -> Result<()> {
        let values = ["ma_switches", "ma_retire", "ma_sockops"].map(|name| -> Result<u64> {
            let map = bpf::open_pin(&layout.path(name)).with_context(|| format!("{name} of the other column"))?;
            Ok(bpf::lookup(map.as_fd(), &0u32)?)
        });
        for (value, expected) in values.into_iter().zip(1..) {
            ensure!(value? == expected, "a map of the other column holds another value than {expected}");
        }
        Ok(())
    };
    let other = pin(4243)?;
    daemon.kill9()?;
    let own = layouts(&daemon)?.pop().context("a layout is pinned")?;
    std::fs::rename(daemon.column().join(&own), daemon.column().join("layout-4242"))?;
    daemon.restart()?;
    ensure!(layouts(&daemon)? == [own], "pinned are {:?}", layouts(&daemon)?);
    untouched(&other)?;
    // The reverse.
    daemon.warm(&mut pair)?;
    let another = pin(4244)?;
    other.remove(|_| 0)?;
    ensure!(pins.column("other", 4244).layouts()? == [another.clone()], "it is not the only one");
    let before = daemon.redirected(&pair)?;
    request::by_hand(&mut pair, 20, 64)?;
    let more = daemon.redirected(&pair)? - before;
    ensure!(more >= 30, "only {more} messages were redirected while the other column changed");
    daemon.run_ok(&["uninstall"])?;
    ensure!(!daemon.column().exists(), "redirection is still pinned");
    untouched(&another)?;
    another.remove(|_| 0)?;
    pins.remove_root();
    pair.close()?;
    Ok(())
}
