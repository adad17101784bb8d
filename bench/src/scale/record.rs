//! Samples of one process and of what it asks of the API server, once a second, cut into phases.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::audit::{self, Audit, Requests};
use super::process::Account;
use super::result::{Moment, Rates};

/// One look.
#[derive(Debug, Clone)]
pub struct Sample {
    pub at: Instant,
    pid: u32,
    account: Account,
    requests: Requests,
}

/// What was sampled. One thread uses it, and never across an await.
pub struct Record {
    start: Instant,
    account: &'static str,
    inner: RefCell<Inner>,
}

struct Inner {
    audit: Audit,
    pid: u32,
    samples: Vec<Sample>,
}

impl Record {
    /// Of a process that asks in the name of `account`.
    pub fn new(audit: Audit, account: &'static str, pid: u32) -> Self {
        Self { start: Instant::now(), account, inner: RefCell::new(Inner { audit, pid, samples: Vec::new() }) }
    }

    /// Looks once; what follows is of another phase. Gives the moment.
    pub fn sample(&self) -> Result<Instant> {
        let inner = &mut *self.inner.borrow_mut();
        let requests = inner.audit.of(self.account)?;
        let at = Instant::now();
        let account = Account::of(inner.pid)?;
        inner.samples.push(Sample { at, pid: inner.pid, account, requests });
        Ok(at)
    }

    /// Looks every second, until dropped.
    pub async fn go_on(&self) -> Result<()> {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
            self.sample()?;
        }
    }

    /// Another process has taken over.
    pub fn follow(&self, pid: u32) {
        self.inner.borrow_mut().pid = pid;
    }

    /// What happened between two moments at which was sampled.
    pub fn rates(&self, from: Instant, to: Instant) -> Result<Rates> {
        rates(&self.inner.borrow().samples, from, to)
    }

    /// Every second of it.
    pub fn moments(&self) -> Vec<Moment> {
        let inner = self.inner.borrow();
        let pairs = inner.samples.iter().zip(inner.samples.iter().skip(1));
        // Samples that mark a phase may follow right after another one.
        let apart = pairs.filter(|(before, after)| after.at - before.at > Duration::from_millis(200));
        apart.map(|(before, after)| self.moment(before, after)).collect()
    }

    fn moment(&self, before: &Sample, after: &Sample) -> Moment {
        let seconds = (after.at - before.at).as_secs_f64();
        let same = before.pid == after.pid;
        Moment {
            at: (after.at - self.start).as_secs_f64(),
            seconds,
            cpu: if same { (after.account.cpu - before.account.cpu) / seconds } else { 0.0 },
            resident: after.account.resident,
            writes: audit::writes(&after.requests) - audit::writes(&before.requests),
            age: 0.0,
        }
    }

    /// Seconds since the record began.
    pub fn seconds(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.start).as_secs_f64()
    }

    /// The moment that lies so many seconds after it began.
    pub fn instant(&self, seconds: f64) -> Instant {
        self.start + Duration::from_secs_f64(seconds)
    }
}

fn rates(samples: &[Sample], from: Instant, to: Instant) -> Result<Rates> {
    let within: Vec<&Sample> = samples.iter().filter(|sample| sample.at >= from && sample.at <= to).collect();
    let (first, last) = (within.first().context("no sample")?, within.last().context("no sample")?);
    let (mut cpu, mut counted) = (0.0, 0.0);
    for (before, after) in within.iter().zip(within.iter().skip(1)).filter(|(one, other)| one.pid == other.pid) {
        cpu += after.account.cpu - before.account.cpu;
        counted += (after.at - before.at).as_secs_f64();
    }
    let seconds = (last.at - first.at).as_secs_f64().max(f64::MIN_POSITIVE);
    let count = |key: &(String, String)| last.requests.get(key).unwrap_or(&0) - first.requests.get(key).unwrap_or(&0);
    let requests = last.requests.keys().map(|key| (format!("{} {}", key.0, key.1), count(key) as f64 / seconds));
    Ok(Rates {
        seconds,
        cpu_cores: if counted > 0.0 { cpu / counted } else { 0.0 },
        peak_bytes: within.iter().map(|sample| sample.account.peak).max().unwrap_or_default(),
        writes_a_second: (audit::writes(&last.requests) - audit::writes(&first.requests)) as f64 / seconds,
        requests_a_second: requests.filter(|(_, rate)| *rate > 0.0).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: Instant, pid: u32, cpu: f64, patches: u64) -> Sample {
        let requests =
            [(("patch".to_owned(), "a/status".to_owned()), patches), (("list".to_owned(), "a".to_owned()), 7)];
        Sample { at, pid, account: Account { cpu, resident: 1, peak: patches }, requests: requests.into() }
    }

    #[test]
    fn a_phase_is_the_difference_of_its_ends() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        // The second process has its own account of CPU time.
        let samples = [
            sample(at(0), 1, 9.0, 0),
            sample(at(10), 1, 10.0, 5),
            sample(at(20), 1, 12.0, 25),
            sample(at(30), 2, 50.0, 25),
            sample(at(40), 2, 53.0, 45),
        ];
        let found = rates(&samples, at(10), at(20)).unwrap();
        assert_eq!((found.cpu_cores, found.writes_a_second, found.peak_bytes), (0.2, 2.0, 25));
        assert_eq!(found.requests_a_second, [("patch a/status".to_owned(), 2.0)].into());
        let found = rates(&samples, at(10), at(40)).unwrap();
        assert_eq!(found.cpu_cores, 5.0 / 20.0, "from one process to the other nothing is counted");
        assert!(rates(&samples, at(50), at(60)).is_err());
    }
}
