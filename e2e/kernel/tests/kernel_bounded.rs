//! Invariant 3: what waits, redirected and unread, is bounded in bytes and in messages; the sender is then held by
//! TCP as it would have been.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::manifest::{Promotion, accelerate_everything};
use meshaccel_e2e_harness::traffic::socket::Options;
use meshaccel_e2e_harness::traffic::{Family, Pair, Service, request};
use meshaccel_e2e_harness::wait::wait_for;
use meshaccel_e2e_harness::{both_promotions, machine};

both_promotions!(
    a_slow_reader_holds_its_sender_as_tcp_does,
    a_hundred_thousand_tiny_messages_cost_no_more_than_over_tcp,
    the_limits_of_the_policy_are_kept,
    half_of_the_receive_buffer_is_left_to_tcp,
);

const LIMIT: Duration = Duration::from_secs(20);
/// Default of `redirect.limits.maxBytesInFlight`, which redirection may add to what TCP queues.
const BYTES_IN_FLIGHT: u64 = 1 << 20;
/// Default of `redirect.limits.maxMessagesInFlight`.
const MESSAGES_IN_FLIGHT: u64 = 256;

/// A connection in a pod of that index, whose receiver has a buffer of 128 KiB.
fn pair_with_small_buffer(pods: &Pods, index: usize) -> Result<Pair> {
    let options = Options { receive_buffer: Some(64 << 10), ..Options::default() };
    Service::listen_with(Some(pods.netns(index)), Family::V4.loopback(0), options)?.pair(Some(pods.netns(index)))
}

/// Redirected again once all that TCP held has been read. Thousands of messages that had to pass are no gain, so the connection
/// may be out for a while.
fn recovers(daemon: &Daemon, pair: &mut Pair) -> Result<()> {
    let before = daemon.redirected(pair)?;
    wait_for(LIMIT, "the connection to be redirected again after the jam", || {
        request::by_hand(pair, 20, 64)?;
        let more = daemon.redirected(pair)? - before;
        ensure!(more >= 20, "{more} messages are redirected after the jam");
        Ok(())
    })
}

fn a_slow_reader_holds_its_sender_as_tcp_does(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(2)?;
    let daemon = pods.accelerate_first(promotion)?;
    for size in [100, 1460, 16 << 10, 1 << 20] {
        let mut plain = pair_with_small_buffer(&pods, 1)?;
        request::by_hand(&mut plain, 100, 64)?;
        let mut fast = pair_with_small_buffer(&pods, 0)?;
        daemon.warm(&mut fast)?;
        let limit = 256 << 20;
        let queued_plain = plain.client.send_until_full(size, limit)?;
        let queued_fast = fast.client.send_until_full(size, limit)?;
        let most = queued_plain * 5 / 4 + 2 * BYTES_IN_FLIGHT + size as u64;
        ensure!(queued_fast <= most, "messages of {size}: {queued_fast} bytes queued, plain TCP {queued_plain}");
        fast.server.receive(queued_fast as usize)?;
        plain.server.receive(queued_plain as usize)?;
        recovers(&daemon, &mut fast).with_context(|| format!("messages of {size}"))?;
        fast.close()?;
    }
    Ok(())
}

/// Kernel memory in slabs, in kB.
fn slab() -> Result<u64> {
    machine::kilobytes("Slab")
}

fn a_hundred_thousand_tiny_messages_cost_no_more_than_over_tcp(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    let (memory, before) = (slab()?, daemon.redirected(&pair)?);
    let mut sent = 0;
    while sent < 100_000 {
        let taken = pair.client.send_until_full(1, 100_000 - sent)?;
        sent += taken;
        if taken == 0 {
            break;
        }
    }
    let grown = slab()?.saturating_sub(memory);
    let redirected = daemon.redirected(&pair)? - before;
    // A queued message costs a kilobyte of slab; 100,000 would be 100 MB.
    ensure!(redirected <= MESSAGES_IN_FLIGHT, "{redirected} messages wait redirected at a reader that never read");
    ensure!(grown < 24 << 10, "{sent} sends of one byte to an idle reader took {grown} kB of slab");
    ensure!(sent > 10_000, "only {sent} bytes were taken");
    pair.server.receive(sent as usize)?;
    recovers(&daemon, &mut pair)?;
    pair.close()?;
    Ok(())
}

/// Reading redirected bytes sends no window update. Were the buffer full of them, TCP's window would close, and what must
/// take TCP would wait for probes.
fn half_of_the_receive_buffer_is_left_to_tcp(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let mut pair = pair_with_small_buffer(&pods, 0)?;
    daemon.warm(&mut pair)?;
    let redirected = |pair: &Pair| -> Result<u64> { Ok(daemon.connections()?.both(pair)?.0.redirected.bytes) };
    let before = redirected(&pair)?;
    let sent = pair.client.send_until_full(16 << 10, 64 << 20)?;
    let waiting = redirected(&pair)? - before;
    ensure!((1..=64 << 10).contains(&waiting), "{waiting} bytes wait redirected in a buffer of 131072");
    pair.server.receive(sent as usize)?;
    pair.close()?;
    Ok(())
}

fn the_limits_of_the_policy_are_kept(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let policy = accelerate_everything(NAMESPACE).promotion(promotion).limits(64 << 10, 4);
    let daemon = pods.accelerate_with(&policy, &[])?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    let sent_redirected = |pair: &Pair| -> Result<u64> {
        let connections = daemon.connections()?;
        Ok(connections.both(pair)?.0.redirected.messages)
    };
    let before = sent_redirected(&pair)?;
    for _ in 0..50 {
        pair.client.send(10)?;
    }
    let waiting = sent_redirected(&pair)? - before;
    ensure!((1..=4).contains(&waiting), "{waiting} messages were redirected to an idle reader, 4 are allowed");
    ensure!(daemon.messages("message_budget")? > 0, "the message budget was not counted");
    pair.server.receive(500)?;
    pair.close()?;
    // Who was behind goes back to TCP: the other budget is looked at with another connection.
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    let (before, row) = (daemon.messages("byte_budget")?, daemon.connections()?);
    let carried = row.both(&pair)?.0.redirected.bytes;
    for _ in 0..3 {
        pair.client.send(40 << 10)?;
    }
    let waiting = daemon.connections()?.both(&pair)?.0.redirected.bytes - carried;
    ensure!((1..=64 << 10).contains(&waiting), "{waiting} bytes were redirected to an idle reader, 65536 are allowed");
    ensure!(daemon.messages("byte_budget")? > before, "the byte budget was not counted");
    pair.server.receive(120 << 10)?;
    pair.close()?;
    Ok(())
}
