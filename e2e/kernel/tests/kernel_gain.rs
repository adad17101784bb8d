//! Invariant 4: where redirection does not pay, the programs step aside. And what is learnt of a port holds for its next
//! connections.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::Pods;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_harness::traffic::{Family, Pair, request, socket};
use meshaccel_e2e_harness::wait::wait_for;

both_promotions!(
    a_stream_of_small_messages_goes_back_to_tcp_and_comes_again,
    ports_of_short_connections_are_only_sampled,
    a_port_that_is_spliced_from_takes_tcp_and_others_do_not,
    a_stream_that_splice_would_put_out_of_order_is_refused,
);

const LIMIT: Duration = Duration::from_secs(30);

/// Nothing comes back: a burst, as much as one reader leaves waiting, then it is read.
fn stream(pair: &mut Pair) -> Result<()> {
    for _ in 0..400 {
        for _ in 0..16 {
            pair.client.send(64)?;
        }
        pair.server.receive(16 * 64)?;
    }
    Ok(())
}

fn a_stream_of_small_messages_goes_back_to_tcp_and_comes_again(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    wait_for(LIMIT, "the stream to leave", || {
        stream(&mut pair)?;
        let connections = daemon.connections()?;
        let (client, server) = connections.both(&pair)?;
        ensure!(!client.promoted && !server.promoted, "{client:?} {server:?}");
        ensure!(server.reason.as_deref() == Some("one_way"), "{server:?}");
        Ok(())
    })?;
    let before = daemon.redirected(&pair)?;
    wait_for(LIMIT, "it to be redirected again, now that it asks and answers", || {
        request::by_hand(&mut pair, 100, 64)?;
        let connections = daemon.connections()?;
        ensure!(daemon.redirected(&pair)? > before + 100, "nothing more is redirected: {:?}", connections.both(&pair)?);
        Ok(())
    })?;
    pair.close()?;
    Ok(())
}

fn ports_of_short_connections_are_only_sampled(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let service = pods.service(0, Family::V4)?;
    let short = |count: usize| -> Result<u64> {
        for _ in 0..count {
            let mut pair = service.pair(Some(pods.netns(0)))?;
            request::by_hand(&mut pair, 1, 64)?;
            pair.close()?;
        }
        daemon.events("recorded")
    };
    let learnt = short(100)?;
    let recorded = short(400)? - learnt;
    ensure!((1..400).contains(&recorded), "{recorded} sockets of 800 were recorded");
    ensure!(daemon.events("not_recorded")? > 400, "{} were not", daemon.events("not_recorded")?);
    // One that is not in the sample is recorded once it lives, and brings back the rest.
    let mut outlived = wait_for(LIMIT, "a connection that is not in the sample", || {
        let mut pair = service.pair(Some(pods.netns(0)))?;
        if daemon.connections()?.of(&pair.client)?.is_none() {
            return Ok(pair);
        }
        request::by_hand(&mut pair, 1, 64)?;
        pair.close()?;
        bail!("in the sample")
    })?;
    wait_for(LIMIT, "a connection that goes on to be redirected", || {
        request::by_hand(&mut outlived, 10, 64)?;
        let redirected = daemon.redirected(&outlived)?;
        ensure!(redirected > 0, "{redirected} messages");
        Ok(())
    })?;
    outlived.close()?;
    let before = daemon.events("recorded")?;
    let mut pair = service.pair(Some(pods.netns(0)))?;
    ensure!(daemon.events("recorded")? == before + 2, "the next connection is not recorded");
    pair.close()?;
    Ok(())
}

fn splice_nothing(pair: &Pair) -> Result<()> {
    let (_reader, writer) = std::io::pipe()?;
    let flags = nix::fcntl::SpliceFFlags::SPLICE_F_NONBLOCK;
    let result = nix::fcntl::splice(&pair.server.stream, None, &writer, None, 100, flags);
    ensure!(result == Err(nix::errno::Errno::EAGAIN), "splice gave {result:?}");
    Ok(())
}

fn a_port_that_is_spliced_from_takes_tcp_and_others_do_not(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let service = pods.service(0, Family::V4)?;
    let mut pairs = service.pairs(Some(pods.netns(0)), 2)?;
    pairs.push(pods.pair(0)?);
    daemon.warm_all(&mut pairs)?;
    splice_nothing(&pairs[0])?;
    let sent = |daemon: &Daemon, pair: &Pair| -> Result<[u64; 2]> {
        let connections = daemon.connections()?;
        let (client, server) = connections.both(pair)?;
        Ok([client.redirected.messages, server.redirected.messages])
    };
    for (index, pair) in pairs.iter_mut().enumerate() {
        let before = sent(&daemon, pair)?;
        request::by_hand(pair, 10, 64)?;
        let after = sent(&daemon, pair)?;
        let spliced = index < 2;
        ensure!((after[0] == before[0]) == spliced, "connection {index}, towards the reader: {before:?} {after:?}");
        ensure!(after[1] > before[1], "connection {index}, from it: {before:?} {after:?}");
    }
    // Of each at least the first: a scan that comes while one is unread holds the reader, and the next count as that.
    let (splices, held) = (daemon.messages("reader_splices")?, daemon.messages("leaving")?);
    ensure!(splices >= 2 && splices + held >= 20, "{splices} were counted for the reason, {held} as held");
    ensure!(daemon.events("splice_seen")? == 1, "{} sockets were seen", daemon.events("splice_seen")?);
    pairs.into_iter().try_for_each(|mut pair| pair.close().map_err(Into::into))
}

/// Redirected bytes wait, and their reader turns to splice(2), which does not see them: what passed now would be read first.
fn a_stream_that_splice_would_put_out_of_order_is_refused(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    pair.client.send(64)?;
    splice_nothing(&pair)?;
    let refused = socket::send(&pair.client.stream, &[0; 64], libc::MSG_NOSIGNAL);
    let number = refused.as_ref().err().and_then(std::io::Error::raw_os_error);
    ensure!(number == Some(libc::EACCES), "send gave {refused:?}");
    ensure!(daemon.messages("splice_too_late")? == 1, "{} were counted", daemon.messages("splice_too_late")?);
    // What came before is whole; and the sender is told again (the kernel keeps a verdict that was an error).
    pair.server.receive(64)?;
    ensure!(socket::send(&pair.client.stream, &[0; 64], libc::MSG_NOSIGNAL).is_err(), "the stream goes on");
    Ok(())
}
