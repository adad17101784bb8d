//! Invariant 1: a byte reaches the socket that TCP would have given it to, or none. Addresses prove nothing: every
//! test here uses a 4-tuple again while somebody still holds its old end.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::connections::Row;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::{Pods, nat_rule, run_in};
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_harness::netns::run;
use meshaccel_e2e_harness::traffic::{End, Family, Pair, Service, request, socket};
use meshaccel_e2e_harness::wait::wait_for;

both_promotions!(
    the_tuple_of_another_pods_closed_client_leads_to_the_own_server,
    the_tuple_of_another_pods_vanished_client_leads_to_the_own_server,
    the_same_tuple_in_many_pods_at_once_stays_in_its_pod,
    a_tuple_redirected_elsewhere_reaches_its_new_server,
    a_tuple_translated_elsewhere_reaches_its_new_server,
);

const LIMIT: Duration = Duration::from_secs(20);

/// Rows of a pair in one pod: other pods have sockets of the same addresses.
fn rows(daemon: &Daemon, pod: &str, pair: &Pair) -> Result<[Row; 2]> {
    let connections = daemon.connections()?;
    let row = |end| -> Result<Row> { connections.of_in(pod, end)?.cloned().context("a socket is not listed") };
    Ok([row(&pair.client)?, row(&pair.server)?])
}

fn warm_in(daemon: &Daemon, pod: &str, pair: &mut Pair) -> Result<()> {
    wait_for(LIMIT, "the connection to be redirected both ways", || {
        request::by_hand(pair, 12, 64)?;
        let rows = rows(daemon, pod, pair)?;
        ensure!(rows.iter().all(|row| row.redirected.messages > 0), "nothing is redirected yet: {rows:?}");
        Ok(())
    })
}

/// An end whose client is gone may learn that (an end of stream, a reset), but may not get a byte.
fn hears_nothing(end: &mut End) -> Result<()> {
    let got = end.incoming.receive_once(&end.stream, 4096, libc::MSG_DONTWAIT)?;
    ensure!(!matches!(got, Ok(1..)), "the old server got {got:?}");
    Ok(())
}

fn the_tuple_of_another_pods_closed_client_leads_to_the_own_server(promotion: Promotion) -> Result<()> {
    old_end_in_another_pod(promotion, drop)
}

fn the_tuple_of_another_pods_vanished_client_leads_to_the_own_server(promotion: Promotion) -> Result<()> {
    old_end_in_another_pod(promotion, |stream| socket::vanish(stream).expect("TCP_REPAIR"))
}

fn old_end_in_another_pod(promotion: Promotion, leave: fn(std::net::TcpStream)) -> Result<()> {
    let pods = Pods::new(2)?;
    let daemon = pods.accelerate(promotion)?;
    let first = pods.service(0, Family::V4)?;
    let mut old = Vec::new();
    for mut pair in first.pairs(Some(pods.netns(0)), 20)? {
        warm_in(&daemon, &pods.name(0), &mut pair)?;
        let from = pair.client.local()?;
        leave(pair.client.stream);
        old.push((from, pair.server));
    }
    let second = Service::listen(Some(pods.netns(1)), first.address())?;
    for (from, old_server) in &mut old {
        let mut pair = second.pair_via(Some(pods.netns(1)), Some(*from), first.address())?;
        // The first bytes are the dangerous ones: nothing of this connection has been checked yet.
        request::by_hand(&mut pair, 1, 100)?;
        warm_in(&daemon, &pods.name(1), &mut pair)?;
        hears_nothing(old_server)?;
        // What the old server still says must not come up in the other pod.
        let _ = old_server.outgoing.send_once(&old_server.stream, 500, libc::MSG_DONTWAIT);
        request::by_hand(&mut pair, 5, 700)?;
        pair.client.expect_silence()?;
        pair.close()?;
    }
    Ok(())
}

fn the_same_tuple_in_many_pods_at_once_stays_in_its_pod(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(6)?;
    let daemon = pods.accelerate(promotion)?;
    let address = pods.service(0, Family::V4)?.address();
    let from: SocketAddr = ([127, 0, 0, 1], if address.port() == 40_000 { 40_001 } else { 40_000 }).into();
    let mut pairs = Vec::new();
    for index in 0..6 {
        let netns = pods.netns(index);
        let service = Service::listen(Some(netns), address)?;
        pairs.push(service.pair_via(Some(netns), Some(from), address)?);
    }
    for (index, pair) in pairs.iter_mut().enumerate() {
        warm_in(&daemon, &pods.name(index), pair)?;
    }
    for round in 0..50 {
        for pair in &mut pairs {
            pair.client.send(round * 7 + 1)?;
            pair.server.send(round * 5 + 1)?;
        }
        for pair in pairs.iter_mut().rev() {
            pair.server.receive(round * 7 + 1)?;
            pair.client.receive(round * 5 + 1)?;
        }
    }
    Ok(())
}

fn a_tuple_redirected_elsewhere_reaches_its_new_server(promotion: Promotion) -> Result<()> {
    old_end_behind_nat(promotion, [127, 0, 0, 1], |port| format!("REDIRECT --to-ports {port}"))
}

fn a_tuple_translated_elsewhere_reaches_its_new_server(promotion: Promotion) -> Result<()> {
    old_end_behind_nat(promotion, [10, 9, 9, 2], |port| format!("DNAT --to-destination 10.9.9.2:{port}"))
}

/// One pod. A client's 4-tuple is led to one server, the client vanishes, the rule changes, and a new client with the
/// very same 4-tuple is led to another server while the first still holds its end.
fn old_end_behind_nat(promotion: Promotion, address: [u8; 4], target: fn(u16) -> String) -> Result<()> {
    let pods = Pods::new(1)?;
    let netns = pods.netns(0);
    for address in ["10.9.9.1/24", "10.9.9.2/24"] {
        run("ip", &["-n", netns.name(), "addr", "add", address, "dev", "lo"])?;
    }
    let daemon = pods.accelerate(promotion)?;
    let virtual_address: SocketAddr = ([10, 9, 9, 9], 80).into();
    let first = Service::listen(Some(netns), (address, 0).into())?;
    let second = Service::listen(Some(netns), (address, 0).into())?;
    let lead_to = |service: &Service, from: u16| -> Result<()> {
        run_in(netns, "iptables", &["-w", "-t", "nat", "-F", "OUTPUT"])?;
        let rule = format!("-d 10.9.9.9 --dport 80 -j {}", target(service.address().port()));
        nat_rule(netns, "iptables", &rule)?;
        // The old translation would be kept for this 4-tuple. No entry of that port is no failure.
        let _ = run_in(netns, "conntrack", &["-D", "-p", "tcp", "--orig-port-src", &from.to_string()]);
        Ok(())
    };
    for from in 41_000..41_010 {
        let from: SocketAddr = ([10, 9, 9, 1], from).into();
        lead_to(&first, from.port())?;
        let mut old = first.pair_via(Some(netns), Some(from), virtual_address)?;
        daemon.warm(&mut old)?;
        socket::vanish(old.client.stream)?;
        lead_to(&second, from.port())?;
        let mut new = second.pair_via(Some(netns), Some(from), virtual_address)?;
        request::by_hand(&mut new, 1, 100)?;
        daemon.warm(&mut new)?;
        hears_nothing(&mut old.server)?;
        let _ = old.server.outgoing.send_once(&old.server.stream, 500, libc::MSG_DONTWAIT);
        request::by_hand(&mut new, 5, 700)?;
        new.client.expect_silence()?;
    }
    Ok(())
}
