//! How much of a stack's bytes was redirected, and why the rest was not: what `connections` says, looked at while the
//! connections are there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use meshaccel_e2e_harness::connections::{Connections, Row};
use meshaccel_e2e_harness::daemon::Daemon;
use serde::{Deserialize, Serialize};

/// Listing costs what a look at all descriptors of the node costs.
const PERIOD: Duration = Duration::from_millis(400);

/// What the sockets of a run sent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Share {
    pub redirected: u64,
    pub tcp: u64,
    /// Why sockets were not redirected, and how many were not.
    pub reasons: BTreeMap<String, usize>,
    /// Connections that were seen.
    pub sockets: usize,
}

impl Share {
    /// Of all bytes, in percent.
    pub fn percent(&self) -> f64 {
        match self.redirected + self.tcp {
            0 => 0.0,
            all => 100.0 * self.redirected as f64 / all as f64,
        }
    }

    /// `before`: what was there already. Sidecars keep their connections from one stack to the next.
    fn of(before: &BTreeMap<Key, Row>, rows: &BTreeMap<Key, Row>) -> Self {
        let mut share = Self { sockets: rows.len(), ..Self::default() };
        for (key, row) in rows {
            let (redirected, tcp) = before.get(key).map_or((0, 0), |row| (row.redirected.bytes, row.tcp.sent_bytes));
            share.redirected += row.redirected.bytes.saturating_sub(redirected);
            share.tcp += row.tcp.sent_bytes.saturating_sub(tcp);
            if let Some(reason) = &row.reason {
                *share.reasons.entry(reason.clone()).or_default() += 1;
            }
        }
        share
    }
}

type Key = (String, String, String);

/// Looks again and again while `body` runs.
pub fn during<T>(daemon: &Daemon, body: impl FnOnce() -> Result<T>) -> Result<(T, Share)> {
    let before: BTreeMap<Key, Row> = daemon.connections().map(keyed)?.into_iter().collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| -> Result<Share> {
            let mut rows = BTreeMap::new();
            while !done.load(Ordering::Relaxed) {
                // The last look at each socket is the one that counts.
                rows.extend(daemon.connections().map(keyed)?);
                let end = std::time::Instant::now() + PERIOD;
                let over = || (done.load(Ordering::Relaxed) || std::time::Instant::now() >= end).then_some(());
                meshaccel_e2e_harness::wait::wait_until(PERIOD * 2, "the next look", over)?;
            }
            Ok(Share::of(&before, &rows))
        });
        let result = body();
        done.store(true, Ordering::Relaxed);
        let share = looking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((result?, share?))
    })
}

fn keyed(connections: Connections) -> Vec<(Key, Row)> {
    let key = |row: &Row| (row.pod.clone(), row.local.clone(), row.remote.clone());
    connections.0.into_iter().map(|row| (key(&row), row)).collect()
}
