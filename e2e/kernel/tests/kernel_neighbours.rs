//! Somebody else's programs and sockmaps, and a second installation: left alone, and counted.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::bpf::{ForeignSockOps, ForeignSockmap, ForeignVerdict};
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::manifest::{Promotion, accelerate_everything};
use meshaccel_e2e_harness::traffic::{Family, Reader, Shape, request, threads};
use meshaccel_e2e_harness::wait::wait_for;
use meshaccel_e2e_harness::{both_promotions, cgroup};

both_promotions!(
    a_socket_in_another_sockmap_is_left_alone_and_counted,
    what_another_program_takes_from_tcp_takes_tcp_from_then_on,
    another_sock_ops_program_is_not_disturbed,
    another_programs_reports_of_round_trips_go_on,
    two_installations_on_one_pod_do_not_disturb_each_other,
    an_installation_beside_another_is_removed_alone,
);

const LIMIT: Duration = Duration::from_secs(20);

fn a_socket_in_another_sockmap_is_left_alone_and_counted(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let foreign = ForeignSockmap::new()?;
    let mut pairs = pods.pairs(0, Family::V4, 4)?;
    for (index, pair) in pairs.iter().enumerate() {
        foreign.insert(index as u32 * 2, &pair.client.stream)?;
        // Of the last two connections only one end is taken.
        if index < 2 {
            foreign.insert(index as u32 * 2 + 1, &pair.server.stream)?;
        }
    }
    let daemon = pods.accelerate(promotion)?;
    let mut own = pods.pair(0)?;
    daemon.warm(&mut own)?;
    wait_for(LIMIT, "the foreign sockets to be counted", || {
        for pair in &mut pairs {
            request::by_hand(pair, 12, 64)?;
        }
        ensure!(daemon.events("in_another_sockmap")? >= 6, "{} counted", daemon.events("in_another_sockmap")?);
        Ok(())
    })?;
    threads::exchange(&mut pairs, |index| Shape::duplex(500_000, 1..=1 << 17).reader(Reader::ALL[index % 4]))?;
    let connections = daemon.connections()?;
    for (index, pair) in pairs.iter_mut().enumerate() {
        ensure!(daemon.redirected(pair)? == 0, "a connection of another sockmap was redirected");
        let client = connections.of(&pair.client)?.context("the foreign socket is not listed")?;
        ensure!(!client.promoted, "connection {index}: {client:?}");
        ensure!(client.reason.as_deref() == Some("in_another_sockmap"), "connection {index}: {client:?}");
        pair.close()?;
    }
    Ok(())
}

/// A proxy or an observer with a verdict on what comes in (sk_skb), put on a socket that is redirected to already.
fn what_another_program_takes_from_tcp_takes_tcp_from_then_on(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    let foreign = ForeignVerdict::new()?;
    foreign.insert(1, &pair.server.stream).context("cannot add a socket that is in our SOCKHASH")?;
    let before = foreign.calls()?;
    request::by_hand(&mut pair, 100, 64)?;
    let seen = foreign.calls()? - before;
    ensure!(seen >= 100, "the other program saw {seen} of 100 messages");
    let connections = daemon.connections()?;
    let client = connections.both(&pair)?.0;
    ensure!(client.reason.as_deref() == Some("in_another_sockmap"), "{client:?}");
    request::rounds(&mut pair, 300, 1..=9000, Reader::Recv, 3)?;
    pair.close()?;
    Ok(())
}

fn another_sock_ops_program_is_not_disturbed(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let foreign = ForeignSockOps::attach(&cgroup::root()?)?;
    let called = || -> Result<()> {
        let before = foreign.calls()?;
        pods.pair(0)?;
        ensure!(foreign.calls()? > before, "the other sock_ops program is not called any more");
        Ok(())
    };
    called()?;
    let mut daemon = pods.accelerate(promotion)?;
    called()?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    // One that comes after ours changes nothing for ours either.
    let later = ForeignSockOps::attach(&cgroup::root()?)?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    ensure!(later.calls()? > 0, "the sock_ops program that came later is not called");
    daemon.kill9()?;
    called()?;
    daemon.run_ok(&["uninstall"])?;
    called()
}

/// The flag that asks for them is the socket's, and there is one for all programs.
fn another_programs_reports_of_round_trips_go_on(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let foreign = ForeignSockOps::attach_to_round_trips(&cgroup::root()?)?;
    let daemon = pods.accelerate(promotion)?;
    // One that comes later, too.
    let later = ForeignSockOps::attach_to_round_trips(&cgroup::root()?)?;
    let mut first = pods.pair(0)?;
    daemon.warm(&mut first)?;
    let mut second = pods.pair(0)?;
    daemon.warm(&mut second)?;
    daemon.run_ok(&["off"])?;
    for pair in [&mut first, &mut second] {
        let before = [foreign.calls()?, later.calls()?];
        request::by_hand(pair, 100, 64)?;
        let after = [foreign.calls()?, later.calls()?];
        for index in 0..2 {
            let reports = after[index] - before[index];
            ensure!(reports >= 50, "{reports} reports of 200 messages that took TCP");
        }
        pair.close()?;
    }
    Ok(())
}

fn two_installations_on_one_pod_do_not_disturb_each_other(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let first = pods.accelerate(promotion)?;
    let second = pods.accelerate(promotion)?;
    let mut pairs = pods.pairs(0, Family::V4, 4)?;
    wait_for(LIMIT, "one of them to redirect", || {
        for pair in &mut pairs {
            request::by_hand(pair, 12, 64)?;
        }
        for pair in &pairs {
            ensure!(first.redirected(pair)? + second.redirected(pair)? > 0, "neither redirects");
        }
        Ok(())
    })?;
    threads::exchange(&mut pairs, |index| Shape::duplex(500_000, 1..=1 << 17).reader(Reader::ALL[index % 4]))?;
    drop(first);
    // What the first had is the second's to take, or stays on TCP; either way it is exact.
    threads::exchange(&mut pairs, |index| Shape::duplex(500_000, 1..=1 << 17).reader(Reader::ALL[index % 4]))?;
    let mut later = pods.pair(0)?;
    second.warm(&mut later)?;
    for mut pair in pairs {
        pair.close()?;
    }
    Ok(())
}

fn an_installation_beside_another_is_removed_alone(promotion: Promotion) -> Result<()> {
    let (pods, others) = (Pods::new(1)?, Pods::new(1)?);
    let first = pods.accelerate(promotion)?;
    let second = Daemon::start("other", others.manifests(&accelerate_everything(NAMESPACE).promotion(promotion))?)?;
    let (mut pair, mut other) = (pods.pair(0)?, others.pair(0)?);
    first.warm(&mut pair)?;
    second.warm(&mut other)?;
    ensure!(first.connections()?.of(&other.client)?.is_none(), "the first lists a connection of the second");
    first.run_ok(&["off"])?;
    let before = second.redirected(&other)?;
    request::by_hand(&mut other, 20, 64)?;
    ensure!(second.redirected(&other)? > before, "the switch of one installation switched the other");
    drop(first);
    let before = second.redirected(&other)?;
    request::by_hand(&mut other, 20, 64)?;
    ensure!(second.redirected(&other)? > before, "removing one installation stopped the other");
    request::by_hand(&mut pair, 20, 64)?;
    Ok(())
}
