//! Blocking descriptors. tcp_recvmsg that is woken without bytes looks, finds nothing and waits on; the kernel's
//! tcp_bpf_recvmsg waits once, and then a blocking recv ends with EAGAIN, which no program expects. So by evidence only
//! connections with two non-blocking descriptors are promoted, and those whose descriptors turn blocking go back.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::failure::check;
use meshaccel_e2e_harness::fixture::Pods;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_harness::traffic::{End, Family, Pair, Reader, Shape, request, socket, threads};
use meshaccel_e2e_harness::wait::{wait_for, wait_until};

const LIMIT: Duration = Duration::from_secs(30);

/// Asks and answers until a scan has seen that the connection blocks.
fn wait_judged(daemon: &Daemon, pair: &mut Pair) -> Result<()> {
    wait_for(LIMIT, "both ends to be known as blocking", || {
        request::by_hand(pair, 12, 64)?;
        let connections = daemon.connections()?;
        let (client, server) = connections.both(pair)?;
        for row in [client, server] {
            ensure!(row.path == "tcp" && row.reason.as_deref() == Some("blocking_reader"), "{row:?}");
        }
        Ok(())
    })
}

/// A pair with blocking descriptors: in the pod that nobody accelerates, or in the other.
fn blocking_pair(pods: &Pods, daemon: &Daemon, pod: usize) -> Result<Pair> {
    let mut pair = pods.pair(pod)?;
    pair.set_blocking(true)?;
    if pod == 0 {
        wait_judged(daemon, &mut pair)?;
    }
    Ok(pair)
}

/// The acknowledgement of the FIN wakes the reader with nothing to read.
#[test]
fn a_reader_that_waits_through_its_own_half_close_goes_on_waiting() {
    check(|| {
        let pods = Pods::new(2)?;
        let daemon = pods.accelerate_first(Promotion::Auto)?;
        for (pod, by_client) in [(1, true), (1, false), (0, true), (0, false)] {
            let mut pair = blocking_pair(&pods, &daemon, pod)?;
            let Pair { client, server } = &mut pair;
            let (first, second) = if by_client { (client, server) } else { (server, client) };
            let watched = first.stream.try_clone()?;
            std::thread::scope(|scope| {
                let reading = scope.spawn(|| first.finish().and_then(|()| first.receive(10)));
                second.expect_end()?;
                // FIN_WAIT2: the acknowledgement has come, and with it the wake-up.
                wait_until(LIMIT, "the FIN to be acknowledged", || {
                    (socket::tcp_state(&watched).ok()? == socket::FIN_WAIT2).then_some(())
                })?;
                second.send(10)?;
                reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
                Ok::<(), anyhow::Error>(())
            })
            .with_context(|| {
                format!("{} pod, by client {by_client}", if pod == 0 { "accelerated" } else { "plain" })
            })?;
        }
        Ok(())
    });
}

/// Room in the send buffer wakes everybody who waits on the socket, the reader too.
#[test]
fn a_reader_that_waits_while_its_own_sender_is_let_go_on_goes_on_waiting() {
    const MUCH: usize = 16 << 20;
    check(|| {
        let pods = Pods::new(2)?;
        let daemon = pods.accelerate_first(Promotion::Auto)?;
        for pod in [1, 0] {
            let mut pair = blocking_pair(&pods, &daemon, pod)?;
            let Pair { client, server } = &mut pair;
            std::thread::scope(|scope| {
                let End { stream, outgoing, incoming } = client;
                let stream = &*stream;
                let reading = scope.spawn(move || incoming.receive(stream, 10));
                // More than fits: this thread waits for room until the server reads.
                let sending = scope.spawn(move || outgoing.send(stream, MUCH));
                server.receive(MUCH)?;
                sending.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
                server.send(10)?;
                reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
                Ok::<(), anyhow::Error>(())
            })
            .with_context(|| if pod == 0 { "accelerated" } else { "plain" })?;
        }
        Ok(())
    });
}

#[test]
fn streams_both_ways_through_blocking_descriptors_stay_on_tcp() {
    check(|| {
        let pods = Pods::new(1)?;
        let daemon = pods.accelerate(Promotion::Auto)?;
        let mut pairs = pods.pairs(0, Family::V4, 8)?;
        for pair in &mut pairs {
            pair.set_blocking(true)?;
            wait_judged(&daemon, pair)?;
        }
        threads::exchange(&mut pairs, |index| Shape::duplex(4 << 20, 1..=1 << 18).reader(Reader::ALL[index % 4]))?;
        ensure!(daemon.messages("redirected")? == 0, "a blocking descriptor was redirected to");
        Ok(())
    });
}

/// Taking a socket out of the SOCKHASH throws away what is queued for it: it must wait for its reader.
#[test]
fn what_waits_for_a_reader_that_turns_blocking_is_not_lost() {
    check(|| {
        let pods = Pods::new(1)?;
        let daemon = pods.accelerate(Promotion::Auto)?;
        let mut pair = pods.pair(0)?;
        daemon.warm(&mut pair)?;
        pair.client.send(1000)?;
        // Only this end: were both blocking, the client might leave first, and nobody would be held.
        pair.server.stream.set_nonblocking(false)?;
        wait_for(LIMIT, "the reader to be held", || {
            // A new connection brings a full resync.
            daemon.warm(&mut pods.pair(0)?)?;
            pair.client.send(1)?;
            let reason = daemon.connections()?.both(&pair)?.0.reason.clone();
            ensure!(reason.as_deref() == Some("leaving"), "{reason:?}");
            Ok(())
        })?;
        // Scans go by that would take it out.
        daemon.warm(&mut pods.pair(0)?)?;
        daemon.warm(&mut pods.pair(0)?)?;
        let sent = pair.client.outgoing.offset - pair.server.incoming.offset;
        pair.server.receive(sent as usize)?;
        wait_judged(&daemon, &mut pair)?;
        pair.close()?;
        Ok(())
    });
}

/// What was seen of it once holds for its port: `kernel_readers.rs` has more of that.
#[test]
fn a_descriptor_that_turns_blocking_goes_back_to_tcp() {
    check(|| {
        let pods = Pods::new(1)?;
        let daemon = pods.accelerate(Promotion::Auto)?;
        let mut pair = pods.pair(0)?;
        daemon.warm(&mut pair)?;
        pair.set_blocking(true)?;
        wait_judged(&daemon, &mut pair)?;
        let before = daemon.redirected(&pair)?;
        request::rounds(&mut pair, 200, 1..=9000, Reader::Recv, 7)?;
        ensure!(daemon.redirected(&pair)? == before, "redirected to a blocking reader");
        pair.close()?;
        Ok(())
    });
}
