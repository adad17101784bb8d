//! Nobody waits for a delayed acknowledgement (40 ms) who would not on plain TCP, though Nagle's algorithm is on at both ends.

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::fixture::Pods;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_harness::traffic::{End, Pair, request, socket};

both_promotions!(messages_that_take_tcp_are_not_cut, an_answer_acknowledges_what_came_through_tcp);

const ROUNDS: usize = 50;
/// Of a message of a request or an answer.
const SIZE: usize = 100;
/// Messages of several pages that fit one segment of the loopback device (65,483 bytes).
const SIZES: [usize; 3] = [5000, 40_000, 65_000];

/// tcp_bpf_push gives TCP a message page by page, and the second piece waits until the first is acknowledged.
fn messages_that_take_tcp_are_not_cut(promotion: Promotion) -> Result<()> {
    // The daemon knows the first pod only.
    let pods = Pods::new(2)?;
    let daemon = pods.accelerate_first(promotion)?;
    let (mut accelerated, mut plain) = (pods.pair(0)?, pods.pair(1)?);
    daemon.warm(&mut accelerated)?;
    // Both ends stay in the SOCKHASH, and each of their messages takes TCP.
    daemon.run_ok(&["off"])?;
    let before = daemon.redirected(&accelerated)?;
    for size in SIZES {
        let (expected, seen) = (segments(&mut plain, size)?, segments(&mut accelerated, size)?);
        ensure!(
            expected == [ROUNDS as u32; 2],
            "on plain TCP {ROUNDS} messages of {size} bytes took {expected:?} segments"
        );
        ensure!(
            seen == expected,
            "{ROUNDS} messages of {size} bytes took {seen:?} segments, on plain TCP {expected:?}"
        );
    }
    ensure!(daemon.redirected(&accelerated)? == before, "redirected while off");
    let connections = daemon.connections()?;
    let (client, server) = connections.both(&accelerated)?;
    ensure!(client.promoted && server.promoted, "left the SOCKHASH, so nothing was shown: {client:?} {server:?}");
    Ok(())
}

/// A redirected answer carries no acknowledgement, and the next message that takes TCP waits for that of the one before.
fn an_answer_acknowledges_what_came_through_tcp(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    let before = daemon.redirected(&pair)?;
    for round in 0..ROUNDS {
        // After some answers through TCP both ends count on the next one to carry the acknowledgement.
        for _ in 0..4 {
            through_tcp(&mut pair.client)?;
            pair.server.receive(SIZE)?;
            through_tcp(&mut pair.server)?;
            pair.client.receive(SIZE)?;
        }
        pair.client.send(SIZE)?;
        pair.server.receive(SIZE)?;
        let unacknowledged = socket::unacknowledged(&pair.server.stream)?;
        ensure!(
            unacknowledged == 0,
            "round {round}: {unacknowledged} segments of the server's are not acknowledged: {:?}",
            daemon.connections()?.both(&pair)?
        );
        pair.server.send(SIZE)?;
        pair.client.receive(SIZE)?;
        request::by_hand(&mut pair, 20, SIZE)?;
    }
    // Of 42 messages that were free to be redirected each end may have needed one to acknowledge.
    let redirected = daemon.redirected(&pair)? - before;
    ensure!(redirected >= 40 * ROUNDS as u64, "{redirected} messages were redirected in {ROUNDS} rounds");
    Ok(())
}

/// Takes TCP: MSG_ZEROCOPY, which does nothing else on a socket without SO_ZEROCOPY.
fn through_tcp(end: &mut End) -> Result<()> {
    let sent = end.outgoing.send_once(&end.stream, SIZE, libc::MSG_ZEROCOPY)?;
    ensure!(sent == SIZE, "{sent} of {SIZE} bytes were sent");
    Ok(())
}

/// Segments with data that the client and the server sent for requests and answers of `size` bytes.
fn segments(pair: &mut Pair, size: usize) -> Result<[u32; 2]> {
    let sent = |pair: &Pair| -> Result<[u32; 2]> {
        Ok([socket::data_segments_sent(&pair.client.stream)?, socket::data_segments_sent(&pair.server.stream)?])
    };
    let before = sent(pair)?;
    request::by_hand(pair, ROUNDS, size)?;
    let after = sent(pair)?;
    Ok([after[0] - before[0], after[1] - before[1]])
}
