//! Where connections of both kinds are to be had.

use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::Pods;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_harness::traffic::{Pair, request};
use meshaccel_e2e_harness::wait;

use super::{Session, sys};

const LIMIT: Duration = Duration::from_secs(5);

/// Two pods, of which a daemon knows one, and the role that the clients play.
pub struct Fixture {
    pods: Pods,
    daemon: Daemon,
    client_sends: bool,
    /// The kernel stamps packets as long as some socket wants it, and begins a moment after it was asked. With this one
    /// it always does, so that a behaviour that asks sees its first stamp at once.
    _stamps: std::net::UdpSocket,
}

impl Fixture {
    pub fn open(promotion: Promotion) -> Result<Self> {
        let pods = Pods::new(2)?;
        let daemon = pods.accelerate_first(promotion)?;
        let stamps = std::net::UdpSocket::bind("127.0.0.1:0")?;
        sys::set(stamps.as_raw_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMP, &1i32)?;
        // Both roles of both ends are seen, one with each promotion.
        Ok(Self { pods, daemon, client_sends: promotion == Promotion::Auto, _stamps: stamps })
    }

    /// A connection that nobody redirects.
    pub fn plain(&self) -> Result<Session> {
        let mut pair = self.pods.pair(1)?;
        request::by_hand(&mut pair, 12, 64)?;
        Session::new(pair, self.client_sends)
    }

    /// Connections that are redirected both ways, each with a listener of its own (what a daemon learns of one port
    /// must not keep the next behaviour from being redirected), made together because each takes a moment to be promoted.
    pub fn warm(&self, count: usize) -> Result<Vec<Pair>> {
        let mut pairs = (0..count).map(|_| self.pods.pair(0)).collect::<Result<Vec<_>>>()?;
        self.daemon.warm_all(&mut pairs)?;
        Ok(pairs)
    }

    /// A session on a warm connection, once the messages of this very moment have been redirected both ways.
    pub fn redirected(&self, mut pair: Pair) -> Result<Session> {
        wait::wait_for(LIMIT, "both directions to be redirected right now", || {
            let before = self.daemon.sent_redirected(&pair)?;
            request::by_hand(&mut pair, 1, 64)?;
            let after = self.daemon.sent_redirected(&pair)?;
            ensure!(after[0] > before[0] && after[1] > before[1], "redirected {before:?}, then {after:?}");
            Ok(())
        })?;
        Session::new(pair, self.client_sends)
    }
}
