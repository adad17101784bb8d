//! How connections end: half closes from either side with bytes still on their way, and resets.

use std::io;
use std::net::Shutdown;
use std::time::Duration;

use anyhow::{Result, ensure};
use aya::maps::{Map, MapData, RingBuf};
use meshaccel_abi::redirect::names;
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::bpf::count_keys;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::manifest::{Promotion, accelerate_everything};
use meshaccel_e2e_harness::traffic::{End, Family, Fault, Pair, Reader, Shape, socket, threads};
use meshaccel_e2e_harness::wait::wait_for;

both_promotions!(
    a_half_close_comes_after_the_last_byte,
    both_ends_may_close_at_once,
    a_reset_means_the_same_error_as_over_tcp,
    a_close_without_a_word_ends_the_other_side,
    a_closed_connection_leaves_though_its_descriptors_stay_open,
    a_closed_connection_leaves_when_the_last_redirected_byte_is_read,
    a_closed_connection_leaves_though_who_was_told_of_it_forgot,
);

const LIMIT: Duration = Duration::from_secs(20);

fn a_half_close_comes_after_the_last_byte(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    for client_first in [true, false] {
        for size in [1, 500, 70_000, 1 << 20] {
            let mut pair = pods.pair(0)?;
            daemon.warm(&mut pair)?;
            let before = daemon.redirected(&pair)?;
            let Pair { client, server } = &mut pair;
            let (first, second) = if client_first { (client, server) } else { (server, client) };
            // As much as fits unread, then the end; the reader comes later.
            first.send(1)?;
            let waiting = 1 + first.send_until_full(size, size as u64 * 5)?;
            first.finish()?;
            second.receive(waiting as usize)?;
            second.expect_end()?;
            // The other direction is open as long as it likes.
            for _ in 0..20 {
                second.send(size.min(10_000))?;
                first.receive(size.min(10_000))?;
            }
            second.finish()?;
            first.expect_end()?;
            let after = daemon.messages("redirected")?;
            ensure!(after > before, "nothing was redirected");
        }
    }
    Ok(())
}

fn both_ends_may_close_at_once(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    for family in Family::ALL {
        let mut pairs = pods.pairs(0, family, 24)?;
        daemon.warm_all(&mut pairs)?;
        threads::exchange(&mut pairs, |index| {
            // One side is done long before the other, or both at once.
            let mut shape = Shape::duplex(400_000, 1..=50_000).reader(Reader::ALL[index % 4]).closing();
            match index % 3 {
                0 => shape.to_client.bytes = 10,
                1 => shape.to_server.bytes = 10,
                _ => {}
            }
            shape.seed(index as u64)
        })?;
    }
    ensure!(daemon.messages("redirected")? > 0, "nothing was redirected");
    Ok(())
}

/// What an end meets when it reads to the end: the error (or the end of the stream), then what a send says.
fn aftermath(end: &mut End) -> Result<(Option<i32>, Option<i32>), Fault> {
    let End { stream, incoming, outgoing } = end;
    let read = loop {
        match incoming.receive_some(stream, 4096)? {
            Ok(0) => break None,
            Ok(_) => {}
            Err(error) => break error.raw_os_error(),
        }
    };
    let written = outgoing.send_once(stream, 10, 0).err().and_then(|error: io::Error| error.raw_os_error());
    Ok((read, written))
}

fn a_reset_means_the_same_error_as_over_tcp(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(2)?;
    let daemon = pods.accelerate_first(promotion)?;
    for by_client in [true, false] {
        for in_flight in [0, 1, 300, 30_000] {
            let run = |mut pair: Pair| -> Result<_> {
                let Pair { client, server } = &mut pair;
                let (leaving, staying) = if by_client { (client, server) } else { (server, client) };
                if in_flight > 0 {
                    leaving.send(in_flight)?;
                }
                socket::reset(leaving.stream.try_clone()?)?;
                // Both descriptors must go: the clone went above, this one is exchanged for one of no importance.
                leaving.stream = std::net::TcpStream::connect(daemon.admin())?;
                Ok(aftermath(staying)?)
            };
            let mut fast = pods.pair(0)?;
            daemon.warm(&mut fast)?;
            let plain = run(pods.pair(1)?)?;
            let fast = run(fast)?;
            ensure!(
                fast == plain,
                "client {by_client}, {in_flight} bytes unread: (recv, send) gave {fast:?}, plain TCP {plain:?}"
            );
        }
    }
    Ok(())
}

fn a_close_without_a_word_ends_the_other_side(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let mut pairs = pods.pairs(0, Family::V6, 20)?;
    daemon.warm_all(&mut pairs)?;
    for (index, Pair { mut client, mut server }) in pairs.into_iter().enumerate() {
        client.send(100 + index)?;
        // close(2) with nothing unread on this side: a FIN, after the bytes.
        drop(client);
        server.receive(100 + index)?;
        server.expect_end()?;
        let _ = server.stream.shutdown(Shutdown::Both);
    }
    Ok(())
}

/// Sockets in the SOCKHASH, and records of sockets.
fn holds(daemon: &Daemon) -> Result<[usize; 2]> {
    let column = daemon.column();
    Ok([count_keys(&column, names::SOCKETS)?, count_keys(&column, names::ENDS)?])
}

fn wait_until_it_holds(daemon: &Daemon, expected: [usize; 2]) -> Result<()> {
    wait_for(LIMIT, "closed sockets to leave", || {
        let holds = holds(daemon)?;
        ensure!(holds == expected, "{holds:?} sockets and records, not {expected:?}");
        Ok(())
    })
}

/// How sockets are visited: as this kernel does best, by iterators over recorded sockets, or over all of a pod.
const WAYS: [&[&str]; 3] = [&[], &["--without-classifier"], &["--without-classifier", "--without-storage"]];

/// Nobody tells of the end of those that are older than the daemon. What stayed in the SOCKHASH would keep its program after
/// uninstall, and its system calls would not be TCP's own.
fn a_closed_connection_leaves_though_its_descriptors_stay_open(promotion: Promotion) -> Result<()> {
    for arguments in WAYS {
        let pods = Pods::new(1)?;
        let mut pairs = pods.pairs(0, Family::V4, 6)?;
        pairs.extend(pods.pairs(0, Family::V6, 6)?);
        let daemon = pods.accelerate_with(&accelerate_everything(NAMESPACE).promotion(promotion), arguments)?;
        pairs.extend(pods.pairs(0, Family::V4, 6)?);
        daemon.warm_all(&mut pairs)?;
        ensure!(holds(&daemon)? == [36, 36], "{:?}", holds(&daemon)?);
        for pair in &mut pairs {
            pair.close()?;
        }
        wait_until_it_holds(&daemon, [0, 0])?;
    }
    Ok(())
}

/// Its record counts for its pod's share for as long as its place in the SOCKHASH is taken.
fn a_closed_connection_leaves_when_the_last_redirected_byte_is_read(promotion: Promotion) -> Result<()> {
    for arguments in WAYS {
        let pods = Pods::new(1)?;
        let mut pairs = pods.pairs(0, Family::V4, 2)?;
        let daemon = pods.accelerate_with(&accelerate_everything(NAMESPACE).promotion(promotion), arguments)?;
        pairs.extend(pods.pairs(0, Family::V4, 2)?);
        daemon.warm_all(&mut pairs)?;
        let mut staying = Vec::new();
        for Pair { mut client, server } in pairs {
            client.send(3000)?;
            socket::reset(client.stream)?;
            staying.push(server);
        }
        wait_until_it_holds(&daemon, [4, 4])?;
        for end in &mut staying {
            end.receive(2999)?;
        }
        // Long enough for several attempts to take them out.
        std::thread::sleep(Duration::from_millis(300));
        ensure!(holds(&daemon)? == [4, 4], "{:?}", holds(&daemon)?);
        for end in &mut staying {
            end.receive(1)?;
        }
        wait_until_it_holds(&daemon, [0, 0])?;
        let after = aftermath(&mut staying[0])?;
        ensure!(after == (Some(libc::ECONNRESET), Some(libc::EPIPE)), "{after:?}");
    }
    Ok(())
}

/// A daemon that is killed takes with it what it has been told, and one that has tried for half a minute gives up: the next full
/// resync tells again.
fn a_closed_connection_leaves_though_who_was_told_of_it_forgot(promotion: Promotion) -> Result<()> {
    for arguments in WAYS {
        let pods = Pods::new(1)?;
        let manifest = accelerate_everything(NAMESPACE).promotion(promotion);
        let mut daemon = pods.accelerate_with(&manifest, arguments)?;
        let mut pairs = pods.pairs(0, Family::V4, 3)?;
        daemon.warm_all(&mut pairs)?;
        daemon.kill9()?;
        let mut staying = Vec::new();
        for Pair { mut client, server } in pairs {
            client.send(3000)?;
            socket::reset(client.stream)?;
            staying.push(server);
        }
        ensure!(forget_announcements(&daemon)? >= staying.len(), "nobody was told of closed sockets");
        for end in &mut staying {
            end.receive(3000)?;
        }
        ensure!(holds(&daemon)? == [3, 3], "{:?}", holds(&daemon)?);
        daemon.restart()?;
        wait_until_it_holds(&daemon, [0, 0])?;
    }
    Ok(())
}

/// Takes from the ring what the daemon was to be told. Gives how much that was.
fn forget_announcements(daemon: &Daemon) -> Result<usize> {
    let mut ring = RingBuf::try_from(Map::RingBuf(MapData::from_pin(daemon.layout()?.join(names::LEAVERS))?))?;
    let mut announcements = 0;
    while ring.next().is_some() {
        announcements += 1;
    }
    Ok(announcements)
}
