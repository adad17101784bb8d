//! Promotion in mid-stream: connections that are in use, or older than the daemon, or have a reader waiting, when they
//! enter the SOCKHASH. A wake-up that goes to the wrong queue shows here as a hang.

use std::mem::offset_of;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use meshaccel_abi::redirect::{EndRecord, Reason};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::bpf::change_values;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods, run_in};
use meshaccel_e2e_harness::manifest::{Acceleration, Promotion, accelerate_everything};
use meshaccel_e2e_harness::traffic::socket::Options;
use meshaccel_e2e_harness::traffic::threads::Readable;
use meshaccel_e2e_harness::traffic::{End, Family, Fault, Load, Pair, Reader, Service, request};
use meshaccel_e2e_harness::wait::{wait_for, wait_until};

both_promotions!(
    a_reader_that_waits_since_before_promotion_is_woken,
    busy_connections_are_promoted_without_a_hiccup,
    connections_older_than_the_daemon_are_accelerated,
    a_client_that_waits_since_before_the_daemon_is_woken,
    a_client_that_waits_since_before_the_handshake_is_woken,
    a_policy_that_comes_later_takes_the_open_connections,
    an_application_with_unread_bytes_is_promoted_when_it_has_read,
    a_reader_that_enters_with_unread_bytes_and_leaves_them_is_taken_out,
    ends_that_were_promoted_in_vain_do_not_wait_for_each_other,
);

const LIMIT: Duration = Duration::from_secs(20);
const PAIRS: usize = 12;
/// After this a thread that was started sleeps in its call; were it late, it would only wait in another way.
const SETTLED: Duration = Duration::from_millis(100);

/// Lets the load run until all of its sockets that ask and answer have sent redirected messages, and then as long again.
fn run_until_redirected(daemon: &Daemon, load: Load) -> Result<Vec<Pair>> {
    let redirected = wait_for(LIMIT, "every busy connection to be redirected", || {
        ensure!(!load.has_failed(), "the load met a fault");
        let connections = daemon.connections()?;
        let redirected = connections.0.iter().filter(|row| row.redirected.messages > 10).count();
        let asking = 2 * Load::asking(PAIRS);
        ensure!(redirected >= asking, "{redirected} of {asking} sockets are redirected");
        Ok(())
    });
    if let Err(error) = redirected {
        // What the load met says more than that it did not go on.
        load.finish()?;
        return Err(error);
    }
    let enough = load.bouts() * 2 + 50;
    wait_until(LIMIT, "the load to go on", || (load.bouts() >= enough || load.has_failed()).then_some(()))?;
    Ok(load.finish()?)
}

fn busy_connections_are_promoted_without_a_hiccup(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let mut pairs = pods.pairs(0, Family::V4, PAIRS / 2)?;
    pairs.extend(pods.pairs(0, Family::Mapped, PAIRS / 2)?);
    let pairs = run_until_redirected(&daemon, Load::start(pairs, 21))?;
    close_all(pairs)
}

fn connections_older_than_the_daemon_are_accelerated(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let mut pairs = pods.pairs(0, Family::V4, PAIRS / 2)?;
    pairs.extend(pods.pairs(0, Family::V6, PAIRS / 2)?);
    let load = Load::start(pairs, 22);
    wait_until(LIMIT, "traffic before the daemon", || (load.bouts() > 30).then_some(()))?;
    let daemon = pods.accelerate(promotion)?;
    let pairs = run_until_redirected(&daemon, load)?;
    ensure!(daemon.events("imported")? >= PAIRS as u64 * 2, "{} sockets imported", daemon.events("imported")?);
    close_all(pairs)
}

fn close_all(pairs: Vec<Pair>) -> Result<()> {
    for mut pair in pairs {
        request::by_hand(&mut pair, 3, 1000)?;
        pair.close()?;
    }
    Ok(())
}

/// Receives `size` bytes in a reader's manner.
fn receive(end: &mut End, reader: Reader, size: u64) -> Result<(), Fault> {
    let End { stream, incoming, .. } = end;
    let mut readable = Readable::new(stream, reader).map_err(|error| incoming.failed("epoll", error))?;
    let until = incoming.offset + size;
    while incoming.offset < until {
        let since = Instant::now();
        match readable.receive(incoming, (until - incoming.offset) as usize)? {
            Ok(0) => return Err(incoming.ended()),
            Ok(_) => {}
            Err(error) => return Err(incoming.failed_since("recv", error, since)),
        }
    }
    Ok(())
}

/// While `waiting` waits for a message in each reader's manner, `meanwhile` happens; then the message must wake it.
fn wakes(pairs: &mut [Pair], meanwhile: impl FnOnce() -> Result<()>) -> Result<()> {
    std::thread::scope(|scope| {
        let mut readers = Vec::new();
        let mut senders = Vec::new();
        for (index, Pair { client, server }) in pairs.iter_mut().enumerate() {
            let reader = Reader::ALL[index % 4];
            let (waiting, sending) = if index < 4 { (server, client) } else { (client, server) };
            readers.push(scope.spawn(move || receive(waiting, reader, 164)));
            senders.push(sending);
        }
        meanwhile()?;
        for sender in senders {
            sender.send(64)?;
            sender.send(100)?;
        }
        for reader in readers {
            reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(())
    })
}

/// Connections worth promoting. With Eager their readers will wait inside recv: see [`unblock`].
fn pairs_of(pods: &Pods, promotion: Promotion) -> Result<Vec<Pair>> {
    let options = Options { blocking: promotion == Promotion::Eager, ..Options::default() };
    let service = Service::listen_with(Some(pods.netns(0)), Family::V4.loopback(0), options)?;
    let mut pairs = service.pairs(Some(pods.netns(0)), 8)?;
    for pair in &mut pairs {
        request::by_hand(pair, 20, 64)?;
    }
    Ok(pairs)
}

/// Sockets with blocking descriptors are not promoted; those that turn non-blocking are, and a thread may still be blocked in
/// a receive call that began before.
fn unblock(streams: &[TcpStream]) -> Result<()> {
    std::thread::sleep(SETTLED);
    streams.iter().try_for_each(|stream| stream.set_nonblocking(true))?;
    Ok(())
}

fn streams_of(pairs: &[Pair]) -> Result<Vec<TcpStream>> {
    let ends = pairs.iter().flat_map(|pair| [&pair.client, &pair.server]);
    Ok(ends.map(|end| end.stream.try_clone()).collect::<Result<_, _>>()?)
}

fn a_reader_that_waits_since_before_promotion_is_woken(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    for _ in 0..5 {
        let mut pairs = pairs_of(&pods, promotion)?;
        let streams = streams_of(&pairs)?;
        wakes(&mut pairs, || {
            unblock(&streams)?;
            wait_promoted(&daemon, 16)
        })?;
        drop(streams);
        daemon.warm_all(&mut pairs)?;
        close_all(pairs)?;
        wait_for(LIMIT, "the closed connections to go from the list", || {
            let rows = daemon.connections()?.0;
            ensure!(rows.is_empty(), "{} rows: {rows:?}", rows.len());
            Ok(())
        })?;
    }
    Ok(())
}

fn wait_promoted(daemon: &Daemon, sockets: usize) -> Result<()> {
    wait_for(LIMIT, "the waiting connections to be promoted", || {
        let promoted = daemon.connections()?.promoted();
        ensure!(promoted >= sockets, "{promoted} of {sockets} sockets are promoted");
        Ok(())
    })
}

fn a_client_that_waits_since_before_the_daemon_is_woken(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let mut pairs = pairs_of(&pods, promotion)?;
    let mut daemon =
        Daemon::unstarted("node", pods.manifests(&accelerate_everything(NAMESPACE).promotion(promotion))?, &[])?;
    let streams = streams_of(&pairs)?;
    wakes(&mut pairs, || {
        unblock(&streams)?;
        daemon.restart()?;
        wait_promoted(&daemon, 16)
    })?;
    drop(streams);
    daemon.warm_all(&mut pairs)?;
    close_all(pairs)
}

fn a_policy_that_comes_later_takes_the_open_connections(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let policy = accelerate_everything(NAMESPACE).promotion(promotion);
    let daemon = pods.accelerate_with(&policy.clone().disabled(), &[])?;
    let pairs = pods.pairs(0, Family::V4, PAIRS)?;
    let load = Load::start(pairs, 23);
    wait_until(LIMIT, "traffic before the policy", || (load.bouts() > 30).then_some(()))?;
    ensure!(daemon.messages("redirected")? == 0, "redirected although redirect.enabled is false");
    daemon.manifests.write("acceleration.yaml", &policy.yaml())?;
    close_all(run_until_redirected(&daemon, load)?)
}

/// A candidate's sends are seen by nobody: an application that is promoted with these bytes unread, and asks by FIONREAD
/// whether there are any, is told of none, and nobody would come to tell it.
fn an_application_with_unread_bytes_is_promoted_when_it_has_read(promotion: Promotion) -> Result<()> {
    // One end is a sidecar's, the other an application.
    let policy = |pair: &Pair| Ok(accelerate_everything(NAMESPACE).sidecar_ports(&[pair.client.local()?.port()]));
    with_unread_bytes(promotion, policy, "order_barrier")
}

/// Of another reader, too, nobody knows whether it was told; so it does not stay.
fn a_reader_that_enters_with_unread_bytes_and_leaves_them_is_taken_out(promotion: Promotion) -> Result<()> {
    with_unread_bytes(promotion, |_| Ok(accelerate_everything(NAMESPACE)), "takes_bulk")
}

/// The daemon comes when bytes wait for the server: it stays out for this reason, until it has read them.
fn with_unread_bytes(
    promotion: Promotion,
    policy: impl FnOnce(&Pair) -> Result<Acceleration>,
    reason: &str,
) -> Result<()> {
    let pods = Pods::new(1)?;
    let mut pair = pods.pair(0)?;
    request::by_hand(&mut pair, 20, 64)?;
    pair.client.send(64)?;
    let daemon = pods.accelerate_with(&policy(&pair)?.promotion(promotion), &[])?;
    wait_for(LIMIT, "the reader to be left where it is", || {
        let connections = daemon.connections()?;
        let (_, server) = connections.both(&pair)?;
        ensure!(server.reason.as_deref() == Some(reason) && !server.promoted, "{server:?}");
        Ok(())
    })?;
    pair.server.receive(64)?;
    daemon.warm(&mut pair)?;
    pair.close()?;
    Ok(())
}

/// On a slow machine each may have been there alone for a second, one after the other; then each would wait until the other is there.
fn ends_that_were_promoted_in_vain_do_not_wait_for_each_other(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let policy = accelerate_everything(NAMESPACE).promotion(promotion);
    let daemon = pods.accelerate_with(&policy, &[])?;
    let mut pairs = pods.pairs(0, Family::V4, PAIRS)?;
    daemon.warm_all(&mut pairs)?;
    daemon.manifests.write("acceleration.yaml", &policy.clone().disabled().yaml())?;
    wait_for(LIMIT, "the sockets to leave", || {
        let promoted = daemon.connections()?.promoted();
        ensure!(promoted == 0, "{promoted} are still there");
        Ok(())
    })?;
    let in_vain = (Reason::PeerNotPromoted as u32).to_ne_bytes();
    let ends = change_values(daemon.bpffs(), "ma_ends", offset_of!(EndRecord, left_for), &in_vain)?;
    ensure!(ends == 2 * PAIRS, "{ends} records");
    let before: Vec<_> = pairs.iter().map(|pair| daemon.redirected(pair)).collect::<Result<_>>()?;
    daemon.manifests.write("acceleration.yaml", &policy.yaml())?;
    wait_for(LIMIT, "them to come back", || {
        for (pair, before) in pairs.iter_mut().zip(&before) {
            request::by_hand(pair, 12, 64)?;
            let connections = daemon.connections()?;
            let (client, server) = connections.both(pair)?;
            ensure!(client.promoted && server.promoted, "{client:?}, {server:?}");
            ensure!(daemon.redirected(pair)? > *before, "nothing is redirected");
        }
        Ok(())
    })?;
    close_all(pairs)
}

/// recv may be called while the handshake is still under way, and then waits on the TCP queue. "At ESTABLISHED nobody
/// can be blocked yet" is therefore not true of the active end.
fn a_client_that_waits_since_before_the_handshake_is_woken(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let netns = pods.netns(0);
    let daemon = pods.accelerate(promotion)?;
    let service = pods.service(0, Family::V4)?;
    run_in(netns, "iptables", &["-w", "-A", "INPUT", "-p", "tcp", "--syn", "-j", "DROP"])?;
    let client = service.unfinished_client(Some(netns))?;
    client.stream.set_nonblocking(promotion == Promotion::Auto)?;
    let stream = client.stream.try_clone()?;
    let mut reader = End::client(client.stream.try_clone()?, client.connection());
    let reading = std::thread::spawn(move || receive(&mut reader, Reader::Recv, 164));
    // The handshake goes on with the next SYN, a second later: by then the reader waits.
    run_in(netns, "iptables", &["-w", "-F", "INPUT"])?;
    let mut pair = service.accept(vec![client])?.pop().context("one connection was asked for")?;
    unblock(&[stream])?;
    for size in [64, 100] {
        pair.server.send(size)?;
    }
    reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    pair.client.incoming.offset = 164;
    daemon.warm(&mut pair)?;
    pair.close()?;
    Ok(())
}
