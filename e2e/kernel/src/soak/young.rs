//! Connections that come and go: short ones, half closes, resets with bytes under way, forks that hold a socket for longer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fmt, io};

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::fixture::Pods;
use meshaccel_e2e_harness::traffic::{Family, Pair, Service, Shape, events, request, socket};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// How many of each kind have been.
#[derive(Clone, Copy, Debug, Default)]
pub struct Young {
    closed: u64,
    reset: u64,
    forked: u64,
    toggled: u64,
}

impl fmt::Display for Young {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { closed, reset, forked, toggled } = self;
        write!(
            f,
            "{closed} connections closed, {reset} reset, {forked} held by forks, {toggled} made blocking for a while"
        )
    }
}

impl Young {
    /// Until `stop`.
    pub fn come_and_go(pods: &Pods, stop: &AtomicBool) -> Result<Self> {
        let services = [pods.service(0, Family::V4)?, pods.service(0, Family::V6)?, pods.service(1, Family::V4)?];
        // What one of them does holds for its port, so those that do odd things have ports of their own.
        let odd = pods.service(0, Family::V4)?;
        let (mut young, mut dice) = (Self::default(), StdRng::seed_from_u64(67));
        while !stop.load(Ordering::Relaxed) {
            let index = dice.random_range(0..services.len());
            let netns = Some(pods.netns(usize::from(index == 2)));
            let mut pairs = services[index].pairs(netns, dice.random_range(1..6))?;
            for pair in &mut pairs {
                request::by_hand(pair, dice.random_range(0..40), 200)?;
            }
            match dice.random_range(0..8) {
                0 => young.reset += reset(pairs, &mut dice)?,
                1 => young.forked += hold(pairs, &mut dice)?,
                2 => {
                    drop(pairs);
                    young.toggled += toggle(&odd, pods)?;
                }
                _ => {
                    let seed: u64 = dice.random();
                    events::exchange(&mut pairs, |index| {
                        Shape::random(seed.wrapping_add(index as u64), 128 << 10).closing()
                    })?;
                    young.closed += pairs.len() as u64;
                }
            }
        }
        Ok(young)
    }

    /// All of them.
    pub fn all(&self) -> u64 {
        self.closed + self.reset + self.forked + self.toggled
    }
}

/// The client resets with bytes under way: what the server still reads is the beginning of what was sent.
fn reset(pairs: Vec<Pair>, dice: &mut StdRng) -> Result<u64> {
    let count = pairs.len();
    for Pair { mut client, mut server } in pairs {
        client.send_until_full(dice.random_range(1..5000), dice.random_range(0..40_000))?;
        if dice.random_bool(0.5) {
            server.send_until_full(700, 3000)?;
        }
        let sent = client.outgoing.offset;
        socket::reset(client.stream)?;
        while server.incoming.offset <= sent {
            // The bytes are checked.
            match server.incoming.receive_some(&server.stream, 3000)? {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
                Err(error) => return Err(error.into()),
            }
        }
        ensure!(server.incoming.offset <= sent, "the server read more than was sent");
    }
    Ok(count as u64)
}

/// A child has the sockets, too, when its parent closes them: the connection lives on until it ends.
fn hold(mut pairs: Vec<Pair>, dice: &mut StdRng) -> Result<u64> {
    let child = held_for(Duration::from_millis(dice.random_range(1..60)))?;
    let seed: u64 = dice.random();
    events::exchange(&mut pairs, |index| Shape::random(seed.wrapping_add(index as u64), 32 << 10))?;
    let count = pairs.len();
    drop(pairs);
    waitpid(child, None)?;
    Ok(count as u64)
}

fn held_for(time: Duration) -> Result<Pid> {
    // SAFETY: the child does nothing but sleep and end, both of which are safe after a fork of many threads.
    match unsafe { fork()? } {
        ForkResult::Parent { child } => Ok(child),
        // SAFETY: as above.
        ForkResult::Child => unsafe {
            libc::usleep(time.as_micros() as u32);
            libc::_exit(0)
        },
    }
}

/// A reader that makes its descriptor blocking for a request.
fn toggle(service: &Service, pods: &Pods) -> Result<u64> {
    let mut pair = service.pair(Some(pods.netns(0)))?;
    for _ in 0..4 {
        request::by_hand(&mut pair, 12, 300)?;
        pair.set_blocking(true)?;
        request::by_hand(&mut pair, 3, 3000)?;
        pair.set_blocking(false)?;
    }
    pair.close()?;
    Ok(1)
}
