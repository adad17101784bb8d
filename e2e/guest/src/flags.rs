//! Receive calls with flags that only TCP serves rightly: whoever makes one is TCP's from then on, and so are the next connections of
//! its port. The kernel of a machine that is locked down does not let that be seen.

use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::traffic::{Family, Pair, request, socket};
use meshaccel_e2e_harness::wait::wait_for;

use super::fixture::Fixture;

const LIMIT: Duration = Duration::from_secs(30);
/// What a buffer holds that nobody writes to.
const UNTOUCHED: u8 = 0xa5;

pub fn are_seen(place: &Fixture, daemon: &Daemon) -> Result<((), String)> {
    let netns = place.other_netns();
    let service = place.service(netns, Family::V4)?;
    let mut pairs = service.pairs(Some(netns), 1)?;
    place.warm(daemon, &mut pairs)?;
    let [pair] = pairs.as_mut_slice() else { anyhow::bail!("one connection was asked for") };
    let (nothing, _) = discard(&pair.server.stream)?;
    ensure!(nothing.is_none(), "{nothing:?} bytes before anything was sent");
    wait_for(LIMIT, "the reader to be taken back to TCP", || is_on_tcp(daemon, pair))?;
    pair.client.send(64)?;
    socket::poll(&pair.server.stream, libc::POLLIN, LIMIT.as_millis() as i32)?;
    let (count, buffer) = discard(&pair.server.stream)?;
    ensure!(count == Some(64), "MSG_TRUNC gave {count:?} of 64 bytes");
    ensure!(buffer.iter().all(|byte| *byte == UNTOUCHED), "MSG_TRUNC wrote into the buffer");
    pair.server.incoming.offset += 64;
    request::by_hand(pair, 12, 64)?;
    let mut next = service.pair(Some(netns))?;
    wait_for(LIMIT, "the next connection to be left on TCP", || {
        request::by_hand(&mut next, 12, 64)?;
        is_on_tcp(daemon, &next)
    })?;
    let seen = daemon.events("flags_seen")?;
    ensure!(seen == 1, "seen at {seen} ports instead of one");
    next.close()?;
    pairs.into_iter().try_for_each(|mut pair| pair.close())?;
    Ok(((), "MSG_TRUNC is TCP's".into()))
}

/// recv with MSG_TRUNC, which throws bytes away: how many; none: there are none.
fn discard(stream: &TcpStream) -> Result<(Option<usize>, [u8; 100])> {
    let mut buffer = [UNTOUCHED; 100];
    // SAFETY: a buffer on the stack, and its size.
    let count = unsafe {
        libc::recv(stream.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_TRUNC | libc::MSG_DONTWAIT)
    };
    match usize::try_from(count) {
        Ok(count) => Ok((Some(count), buffer)),
        Err(_) => {
            let error = std::io::Error::last_os_error();
            ensure!(error.kind() == std::io::ErrorKind::WouldBlock, "recv: {error}");
            Ok((None, buffer))
        }
    }
}

fn is_on_tcp(daemon: &Daemon, pair: &Pair) -> Result<()> {
    let connections = daemon.connections()?;
    let (_, server) = connections.both(pair)?;
    ensure!(!server.promoted && server.reason.as_deref() == Some("reader_flags"), "{server:?}");
    Ok(())
}
