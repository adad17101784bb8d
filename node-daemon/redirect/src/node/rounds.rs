//! When connections are visited: as rarely as their cost demands, as soon as somebody waits for it.

use std::time::{Duration, Instant};

use meshaccel_bpf::iterator::IteratorError;
use meshaccel_bpf::maps::MapsError;

use super::Node;

/// The pause after a scan is so many times its length: while there are busy connections to judge, that takes at most one
/// hundredth of a core. It visits no others (see `meshaccel_decide::redirect::eligibility`), so where there are none it takes nothing.
const SCAN_SHARE: u32 = 100;
/// The same for a full resync, which visits all connections: one thousandth, and half of that when nothing happens. A node with
/// many of them is resynced more rarely instead of costing more.
const RESYNC_SHARE: u32 = 1000;
/// While there is something to visit, and it is cheap.
const VISITING: Duration = Duration::from_millis(250);
/// A scan that the programs ask for comes so long after the last one began.
const WOKEN: Duration = Duration::from_millis(50);
/// While there is nothing to visit: whether something has happened that asks for a full resync.
const AT_REST: Duration = Duration::from_secs(1);
/// However expensive scans are, at least this often; full resyncs after something has happened; and when nothing has.
const LONGEST: Duration = Duration::from_secs(30);
const LONGEST_RESYNC: Duration = Duration::from_secs(60);
const LONGEST_AT_REST: Duration = Duration::from_secs(300);
/// Sockets of one part of a full resync: some 10 ms. Between parts comes whatever else there is to do.
const PART: usize = 4096;
/// A full resync when nothing has happened: it finds what went unnoticed.
const RESYNC_AT_REST: Duration = Duration::from_secs(2);

impl Node {
    /// A scan over the dirty sockets, and a full resync of all when it is due. Gives the time until the next.
    #[tracing::instrument(name = "scan", level = "debug", skip_all)]
    pub fn scan(&mut self, now: Instant) -> Result<Duration, crate::Error> {
        self.passed = now;
        self.wake.listen()?;
        self.loaded.neighbours.look()?;
        let promoted = self.loaded.visits.scan(&self.namespaces)?;
        self.scan_pace.took(promoted.took);
        self.leavers.wake_readers(&promoted.to_wake);
        let happened = self.happened()?;
        if self.resyncing.is_none() && self.resync_is_due(happened, now) {
            self.resynced = Some((now, happened));
            self.resyncing = Some(self.loaded.visits.resync()?);
        }
        if self.go_on()? {
            return Ok(Duration::ZERO);
        }
        let again = promoted.again || !promoted.to_wake.is_empty();
        Ok(if again { self.scan_pace.pause(SCAN_SHARE, VISITING, LONGEST) } else { AT_REST })
    }

    /// Waits until the programs ask for a scan, and gives the time when it may begin.
    pub async fn woken(&mut self) -> Instant {
        if let Err(error) = self.wake.woken().await {
            tracing::warn!(%error, "Cannot wait for the programs; scans come by time alone");
            return std::future::pending().await;
        }
        self.passed + self.scan_pace.pause(SCAN_SHARE, WOKEN, LONGEST)
    }

    /// The next part of a full resync that has begun. True: it is not over.
    #[tracing::instrument(name = "full_resync", level = "debug", skip_all)]
    fn go_on(&mut self) -> Result<bool, crate::Error> {
        let Some(mut resync) = self.resyncing.take() else { return Ok(false) };
        self.loaded.visits.go_on(&mut resync, &self.namespaces, PART)?;
        if let Some(tally) = resync.result() {
            self.tally = tally.clone();
            self.leavers.wake_readers(&self.tally.to_wake);
            self.resync_pace.took(self.tally.took);
            // There are other numbers to tell.
            self.settled = None;
            self.add_up()?;
            return Ok(false);
        }
        self.resyncing = Some(resync);
        Ok(true)
    }

    /// Counts all sockets, and takes back what must leave, at once.
    #[tracing::instrument(name = "full_resync", level = "debug", skip_all)]
    pub(super) fn resync(&mut self) -> Result<(), IteratorError> {
        let mut resync = self.loaded.visits.resync()?;
        self.loaded.visits.go_on(&mut resync, &self.namespaces, usize::MAX)?;
        if let Some(tally) = resync.result() {
            self.tally = tally.clone();
            self.leavers.wake_readers(&self.tally.to_wake);
        }
        self.resyncing = None;
        self.resync_pace.took(self.tally.took);
        Ok(())
    }

    /// How much has happened: sockets recorded, promoted, closed and the like.
    fn happened(&self) -> Result<u64, MapsError> {
        Ok(self.maps.events()?.iter().map(|(_, count)| count).sum())
    }

    /// What the pods have redirected since the last time, to their MeshAccelerations.
    fn add_up(&mut self) -> Result<(), MapsError> {
        for (slot, owner) in &self.owners {
            let total = self.maps.total(*slot)?;
            let before = self.totals.insert(*slot, total).unwrap_or(0);
            // A slot that was given to another pod begins again.
            let more = total.checked_sub(before).unwrap_or(total);
            *self.redirected.entry(owner.clone()).or_default() += more;
        }
        Ok(())
    }

    /// Full resyncs follow what happens (sockets recorded, promoted, closed; pods that are being released), at a cadence that
    /// their own cost sets.
    fn resync_is_due(&self, happened: u64, now: Instant) -> bool {
        let Some((last, happened_then)) = self.resynced else { return true };
        let at_rest = happened == happened_then && !self.unfinished;
        let pause = match at_rest {
            true => self.resync_pace.pause(2 * RESYNC_SHARE, RESYNC_AT_REST, LONGEST_AT_REST),
            false => self.resync_pace.pause(RESYNC_SHARE, VISITING, LONGEST_RESYNC),
        };
        now.duration_since(last) >= pause
    }

    /// What is kept of places where nobody lives any more.
    pub fn forget_old(&mut self, now: Instant) {
        self.locator.forget_old(now);
    }
}
