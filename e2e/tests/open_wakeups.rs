//! Open: known to differ from plain TCP, so not a part of `make test`; `make test-open` runs it.
//!
//! Readers that are woken for another reason than bytes. tcp_recvmsg looks, finds nothing and waits on; the kernel's
//! tcp_bpf_recvmsg waits once, and then a *blocking* recv returns EAGAIN, which no program expects. Behind a sidecar
//! applications with blocking descriptors are therefore left on TCP; with provider Custom and no sidecar ports, which these
//! tests use, every connection is accelerated as asked.

use std::time::Duration;

use anyhow::{Context, Result};
use meshaccel_e2e::both_promotions;
use meshaccel_e2e::manifest::Promotion;
use meshaccel_e2e::stage::Pods;
use meshaccel_e2e::traffic::{End, Pair, socket};
use meshaccel_e2e::wait::wait_until;

both_promotions!(
    a_reader_that_waits_through_its_own_half_close_goes_on_waiting,
    a_reader_that_waits_while_its_own_sender_is_let_go_on_goes_on_waiting,
);

/// The acknowledgement of the FIN wakes the reader with nothing to read.
fn a_reader_that_waits_through_its_own_half_close_goes_on_waiting(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(2)?;
    let daemon = pods.accelerate_first(promotion)?;
    for (pod, by_client) in [(1, true), (1, false), (0, true), (0, false)] {
        let mut pair = pods.pair(pod)?;
        if pod == 0 {
            daemon.warm(&mut pair)?;
        }
        let Pair { client, server } = &mut pair;
        let (first, second) = if by_client { (client, server) } else { (server, client) };
        let watched = first.stream.try_clone()?;
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| first.finish().and_then(|()| first.receive(10)));
            second.expect_end()?;
            // FIN_WAIT2: the acknowledgement has come, and with it the wake-up.
            wait_until(Duration::from_secs(5), "the FIN to be acknowledged", || {
                (socket::tcp_state(&watched).ok()? == socket::FIN_WAIT2).then_some(())
            })?;
            second.send(10)?;
            reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            Ok::<(), anyhow::Error>(())
        })
        .with_context(|| format!("{} pod, by client {by_client}", if pod == 0 { "accelerated" } else { "plain" }))?;
    }
    Ok(())
}

/// Room in the send buffer wakes everybody who waits on the socket, the reader too.
fn a_reader_that_waits_while_its_own_sender_is_let_go_on_goes_on_waiting(promotion: Promotion) -> Result<()> {
    const MUCH: usize = 16 << 20;
    let pods = Pods::new(2)?;
    let daemon = pods.accelerate_first(promotion)?;
    for pod in [1, 0] {
        let mut pair = pods.pair(pod)?;
        if pod == 0 {
            daemon.warm(&mut pair)?;
        }
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
}
