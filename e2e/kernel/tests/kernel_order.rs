//! Invariant 2: in order and complete, at the moments where redirection could overtake what TCP still holds.

use std::time::Duration;

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::Pods;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_harness::traffic::socket::Options;
use meshaccel_e2e_harness::traffic::{Family, Pair, Service, Shape, events, request};
use meshaccel_e2e_harness::wait::wait_for;

both_promotions!(
    a_deferred_accept_sees_the_bytes_in_order,
    a_client_that_sends_as_soon_as_it_can_is_heard_in_order,
    what_was_sent_before_accept_comes_first,
    a_server_that_speaks_first_is_heard_in_order,
    what_was_sent_before_the_switch_comes_before_what_is_sent_after,
    two_thousand_connections_of_every_shape_are_exact,
);

/// Scans take a hundredth of a core, and turn from a candidate that they could not judge for seconds to come back to it at a full resync:
/// with thousands of connections, on a slow machine, the last of them wait for more than half a minute.
const LIMIT: Duration = Duration::from_secs(150);

/// Asks and answers on all until at least `share` of a hundred connections have been redirected: the test must not
/// pass because nothing was.
fn ensure_redirected(daemon: &Daemon, pairs: &mut [Pair], share: usize) -> Result<()> {
    wait_for(LIMIT, "the connections to be redirected", || {
        for pair in &mut *pairs {
            request::by_hand(pair, 4, 64)?;
        }
        let connections = daemon.connections()?;
        let redirected = connections.0.iter().filter(|row| row.redirected.messages > 0).count();
        ensure!(redirected * 100 >= pairs.len() * 2 * share, "{redirected} of {} sockets", pairs.len() * 2);
        Ok(())
    })
}

fn a_deferred_accept_sees_the_bytes_in_order(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let netns = Some(pods.netns(0));
    let daemon = pods.accelerate(promotion)?;
    let options = Options { defer_accept: true, ..Options::default() };
    let service = Service::listen_with(netns, Family::V4.loopback(0), options)?;
    let mut pairs = Vec::new();
    for _ in 0..1000 {
        let mut client = service.client(netns, None, service.address())?;
        // The server's socket is made by the first message; the second could be redirected past it.
        client.send(120)?;
        client.send(130)?;
        let mut accepted = service.accept(vec![client])?;
        for pair in &mut accepted {
            pair.client.send(140)?;
            pair.server.receive(390)?;
        }
        pairs.append(&mut accepted);
    }
    ensure_redirected(&daemon, &mut pairs, 90)
}

fn a_client_that_sends_as_soon_as_it_can_is_heard_in_order(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let netns = Some(pods.netns(0));
    let daemon = pods.accelerate(promotion)?;
    let service = pods.service(0, Family::V4)?;
    let mut pairs = Vec::new();
    for _ in 0..1000 {
        let client = service.impatient_client(netns, [100, 200])?;
        let mut accepted = service.accept(vec![client])?;
        accepted[0].server.receive(300)?;
        pairs.append(&mut accepted);
    }
    ensure_redirected(&daemon, &mut pairs, 90)
}

fn what_was_sent_before_accept_comes_first(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let netns = Some(pods.netns(0));
    let daemon = pods.accelerate(promotion)?;
    let service = pods.service(0, Family::V6)?;
    let mut pairs = Vec::new();
    for index in 0..300 {
        let mut client = service.client(netns, None, service.address())?;
        for size in [1, 10 + index, 1000, 3] {
            client.send(size)?;
        }
        let mut accepted = service.accept(vec![client])?;
        let pair = &mut accepted[0];
        pair.client.send(50)?;
        pair.server.receive(1)?;
        pair.client.send(60)?;
        pair.server.receive(10 + index + 1003 + 110)?;
        pairs.append(&mut accepted);
    }
    ensure_redirected(&daemon, &mut pairs, 90)
}

fn a_server_that_speaks_first_is_heard_in_order(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let netns = Some(pods.netns(0));
    let daemon = pods.accelerate(promotion)?;
    let service = pods.service(0, Family::Mapped)?;
    let mut pairs = Vec::new();
    for _ in 0..300 {
        let mut pair = service.pair(netns)?;
        pair.server.send(80)?;
        pair.server.send(3)?;
        pair.client.receive(20)?;
        pair.server.send(40)?;
        pair.client.send(9)?;
        pair.client.receive(103)?;
        pair.server.receive(9)?;
        pairs.push(pair);
    }
    ensure_redirected(&daemon, &mut pairs, 90)
}

/// Off and on between unread messages: each takes another path, and the reader must not notice.
fn what_was_sent_before_the_switch_comes_before_what_is_sent_after(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let mut pair = pods.pair(0)?;
    let mut rounds = 0;
    for attempt in 1.. {
        // What met the switch with redirected bytes unread leaves the SOCKHASH, and comes back; it may still be about to leave
        // when messages are redirected again, so that those of this attempt are not. Then it was none.
        ensure!(attempt <= 40, "messages were redirected in {rounds} of 40 attempts");
        daemon.wait_redirecting(&mut pair)?;
        let before = daemon.redirected(&pair)?;
        pair.client.send(100 * attempt)?;
        pair.server.send(50 * attempt)?;
        rounds += u32::from(daemon.redirected(&pair)? > before);
        daemon.run_ok(&["off"])?;
        pair.client.send(200)?;
        pair.server.send(210)?;
        daemon.run_ok(&["on"])?;
        // On again, but what went through TCP is unread: these must not overtake it.
        pair.client.send(300)?;
        pair.server.send(310)?;
        pair.server.receive(100 * attempt + 500)?;
        pair.client.receive(50 * attempt + 520)?;
        request::by_hand(&mut pair, 5, 30)?;
        if rounds == 10 {
            break;
        }
    }
    ensure!(daemon.messages("order_barrier")? > 0, "no message met the order barrier");
    Ok(())
}

fn two_thousand_connections_of_every_shape_are_exact(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let mut pairs = Vec::new();
    for family in Family::ALL {
        pairs.extend(pods.pairs(0, family, 667)?);
    }
    ensure_redirected(&daemon, &mut pairs, 100)?;
    let before = daemon.messages("redirected")?;
    events::exchange(&mut pairs, |index| Shape::random(index as u64, 128 << 10).closing())?;
    let redirected = daemon.messages("redirected")? - before;
    ensure!(redirected > 20_000, "only {redirected} messages were redirected");
    Ok(())
}
