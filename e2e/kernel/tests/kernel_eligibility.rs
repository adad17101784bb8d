//! Which connections a scan visits. A node has many that carry something now and then: they must cost nothing, and
//! the busy one among them must be found all the same.

use std::time::Duration;

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::bpf::has_key;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::Pods;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_harness::traffic::{Family, Pair, request, socket};
use meshaccel_e2e_harness::wait::wait_for;

both_promotions!(
    quiet_connections_are_not_visited_and_the_busy_one_is_promoted,
    what_is_visited_in_vain_is_left_alone_and_found_again,
);

const LIMIT: Duration = Duration::from_secs(20);

fn low_water(pair: &Pair, bytes: i32) -> Result<()> {
    Ok(socket::set(&pair.client.stream, libc::SOL_SOCKET, libc::SO_RCVLOWAT, &bytes)?)
}

/// How many of these sockets a scan visits.
fn visited(daemon: &Daemon, pairs: &[Pair]) -> Result<usize> {
    let mut count = 0;
    for end in pairs.iter().flat_map(|pair| [&pair.client, &pair.server]) {
        let cookie = socket::cookie(&end.stream)?;
        count += usize::from(has_key(daemon.bpffs(), "ma_dirty", &cookie.to_ne_bytes())?);
    }
    Ok(count)
}

fn quiet_connections_are_not_visited_and_the_busy_one_is_promoted(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let mut quiet = pods.pairs(0, Family::V4, 50)?;
    for pair in &mut quiet {
        request::by_hand(pair, 2, 64)?;
    }
    let mut busy = pods.pair(0)?;
    daemon.warm(&mut busy)?;
    // Found by the full resync, which knows them and does not have them visited.
    wait_for(LIMIT, "the quiet connections to be known", || {
        let connections = daemon.connections()?;
        for pair in &quiet {
            let (client, server) = connections.both(pair)?;
            ensure!(client.paired && server.paired, "{client:?} {server:?}");
            ensure!(client.reason.as_deref() == Some("candidate"), "{client:?}");
        }
        Ok(())
    })?;
    let visited = visited(&daemon, &quiet)?;
    ensure!(visited == 0, "{visited} of 100 quiet sockets are visited");
    // They were only not busy yet.
    daemon.warm_all(&mut quiet)?;
    quiet.into_iter().chain([busy]).try_for_each(|mut pair| Ok(pair.close()?))
}

/// Its reader asks for what the redirected queue does not honour, so nobody may promote it; and then it does not.
fn what_is_visited_in_vain_is_left_alone_and_found_again(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let mut pair = pods.pair(0)?;
    low_water(&pair, 2)?;
    request::by_hand(&mut pair, 20, 64)?;
    ensure!(visited(&daemon, std::slice::from_ref(&pair))? > 0, "neither end is visited after 20 requests");
    wait_for(LIMIT, "the connection to be left to the full resync", || {
        let visited = visited(&daemon, std::slice::from_ref(&pair))?;
        ensure!(visited == 0, "{visited} of its ends are visited");
        let connections = daemon.connections()?;
        let (client, _) = connections.both(&pair)?;
        ensure!(client.reason.as_deref() == Some("reader_options"), "{client:?}");
        Ok(())
    })?;
    low_water(&pair, 1)?;
    daemon.warm(&mut pair)?;
    Ok(pair.close()?)
}
