//! Connections whose ends do not agree on addresses: REDIRECT, DNAT, and the way between two pods.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods, nat_rule};
use meshaccel_e2e_harness::manifest::{Manifests, Promotion, accelerate_everything};
use meshaccel_e2e_harness::netns::{Netns, run};
use meshaccel_e2e_harness::traffic::{Pair, Reader, Service, Shape, request, threads};

both_promotions!(
    a_redirect_to_another_port_is_paired,
    a_translation_to_another_address_is_paired,
    ipv6_is_translated_too,
    two_pods_are_joined_when_the_scope_is_the_node,
    connections_between_pods_that_are_selected_one_by_one_are_adopted,
    two_pods_stay_on_tcp_when_the_scope_is_the_pod,
);

/// Adds addresses that the pod can talk about without leaving it.
fn own_addresses(netns: &Netns) -> Result<()> {
    for address in ["10.9.9.1/24", "10.9.9.2/24", "fd00:9::1/64", "fd00:9::2/64"] {
        run("ip", &["-n", netns.name(), "addr", "add", address, "dev", "lo"])?;
    }
    Ok(())
}

/// Every kind of traffic on `pairs`, redirected; then a proper end.
fn exercise(daemon: &Daemon, mut pairs: Vec<Pair>) -> Result<()> {
    daemon.warm_all(&mut pairs)?;
    let connections = daemon.connections()?;
    let before = connections.redirected_messages();
    for pair in &pairs {
        let (client, server) = connections.both(pair)?;
        ensure!(client.paired && server.paired && client.role == "active" && server.role == "passive", "{client:?}");
    }
    for pair in &mut pairs {
        request::rounds(pair, 300, 1..=9000, Reader::Recv, 3)?;
    }
    threads::exchange(&mut pairs, |index| Shape::duplex(300_000, 1..=1 << 18).reader(Reader::ALL[index % 4]))?;
    let redirected = daemon.connections()?.redirected_messages() - before;
    ensure!(redirected > 300 * pairs.len() as u64, "only {redirected} messages were redirected");
    pairs.iter_mut().try_for_each(|pair| Ok(pair.close()?))
}

fn a_redirect_to_another_port_is_paired(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let netns = pods.netns(0);
    own_addresses(netns)?;
    let daemon = pods.accelerate(promotion)?;
    let service = Service::listen(Some(netns), ([0, 0, 0, 0], 0).into())?;
    nat_rule(
        netns,
        "iptables",
        &format!("-d 10.9.9.9 --dport 80 -j REDIRECT --to-ports {}", service.address().port()),
    )?;
    let pairs = service.pairs_via(Some(netns), 8, ([10, 9, 9, 9], 80).into())?;
    ensure!(pairs[0].client.remote()?.port() == 80 && pairs[0].server.local()?.port() == service.address().port());
    exercise(&daemon, pairs)
}

fn a_translation_to_another_address_is_paired(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let netns = pods.netns(0);
    own_addresses(netns)?;
    let daemon = pods.accelerate(promotion)?;
    let service = Service::listen(Some(netns), ([10, 9, 9, 2], 0).into())?;
    nat_rule(netns, "iptables", &format!("-d 10.9.9.9 --dport 80 -j DNAT --to-destination {}", service.address()))?;
    exercise(&daemon, service.pairs_via(Some(netns), 8, ([10, 9, 9, 9], 80).into())?)
}

fn ipv6_is_translated_too(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let netns = pods.netns(0);
    own_addresses(netns)?;
    let daemon = pods.accelerate(promotion)?;
    let listen: SocketAddr = "[fd00:9::2]:0".parse()?;
    let service = Service::listen(Some(netns), listen)?;
    nat_rule(netns, "ip6tables", &format!("-d fd00:9::9 --dport 80 -j DNAT --to-destination {}", service.address()))?;
    exercise(&daemon, service.pairs_via(Some(netns), 8, "[fd00:9::9]:80".parse()?)?)
}

fn two_pods_are_joined_when_the_scope_is_the_node(promotion: Promotion) -> Result<()> {
    let pods = Pods::joined()?;
    let policy = accelerate_everything(NAMESPACE).promotion(promotion).node_local();
    let daemon = pods.accelerate_with(&policy, &[])?;
    let service = Service::listen(Some(pods.netns(1)), (Pods::address(1), 0).into())?;
    let pairs = service.pairs(Some(pods.netns(0)), 8)?;
    for pair in &pairs {
        let connections = daemon.connections()?;
        let (client, server) = connections.both(pair)?;
        ensure!(client.pod == pods.name(0) && server.pod == pods.name(1), "{client:?} {server:?}");
    }
    exercise(&daemon, pairs)
}

/// Open before either pod was known: neither end can be told by itself, and the ends come to be known at different times.
fn connections_between_pods_that_are_selected_one_by_one_are_adopted(promotion: Promotion) -> Result<()> {
    let pods = Pods::joined()?;
    let service = Service::listen(Some(pods.netns(1)), (Pods::address(1), 0).into())?;
    let mut pairs = service.pairs(Some(pods.netns(0)), 8)?;
    for pair in &mut pairs {
        request::by_hand(pair, 12, 64)?;
    }
    let policy = accelerate_everything(NAMESPACE).promotion(promotion).node_local();
    let daemon = Daemon::start("node", Manifests::of(&policy, &[pods.manifest(0)])?)?;
    let mut inside = pods.pair(0)?;
    daemon.warm(&mut inside)?;
    ensure!(daemon.events("imported")? == 0, "an end was imported whose peer is not known");
    daemon.manifests.write("later.yaml", &pods.manifest(1).yaml())?;
    exercise(&daemon, pairs)?;
    ensure!(daemon.events("imported")? >= 16, "{} sockets imported", daemon.events("imported")?);
    inside.close()?;
    Ok(())
}

fn two_pods_stay_on_tcp_when_the_scope_is_the_pod(promotion: Promotion) -> Result<()> {
    let pods = Pods::joined()?;
    let daemon = pods.accelerate(promotion)?;
    let service = Service::listen(Some(pods.netns(1)), (Pods::address(1), 0).into())?;
    let mut pair = service.pair(Some(pods.netns(0)))?;
    // A connection inside a pod shows that the daemon works and has had time to promote.
    let mut inside = pods.pair(0)?;
    request::rounds(&mut pair, 500, 1..=9000, Reader::Poll, 3)?;
    daemon.warm(&mut inside)?;
    request::rounds(&mut pair, 500, 1..=9000, Reader::Edge, 4)?;
    ensure!(daemon.redirected(&pair)? == 0, "a connection between pods was redirected although the scope is PodLocal");
    let connections = daemon.connections()?;
    let (client, _) = connections.both(&pair)?;
    ensure!(client.reason.as_deref() == Some("other_pod"), "{client:?}");
    pair.close()?;
    Ok(())
}
