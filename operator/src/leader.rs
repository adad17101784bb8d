//! Leader election: one of the replicas writes, the others watch and are ready. By a Lease, as Kubernetes' own components
//! do it; [`election`] decides, [`lease`] reads and writes, this is the loop between them.
//!
//! Leading is not a state but a term with an end: whoever writes asks [`Leadership::is_valid`] just before it does, so a process
//! that was stopped for a while does not write when it wakes.

use std::fmt;
use std::future::Future;
use std::time::Instant;

use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

pub mod election;
pub mod lease;

use election::{Candidate, Next, Record, Times};

/// Where the Lease is kept.
pub trait Store: Send + Sync {
    type Error: fmt::Display + Send;
    /// The Lease as it is now.
    fn read(&self) -> impl Future<Output = Result<Option<Record>, Self::Error>> + Send;
    /// Writes it if its version is still the latest, and returns the new version; None: somebody was faster.
    fn write(&self, record: &Record) -> impl Future<Output = Result<Option<String>, Self::Error>> + Send;
}

/// Who wants to know how the API server is doing.
pub trait Listener: Send + Sync {
    /// It answered.
    fn reached(&self);
    /// It did not, or not what was asked.
    fn lost(&self, why: &str);
    /// Its store has gone back in time: it was restored from a copy. What was watched must be read again.
    fn rewound(&self);
}

/// Until when this process may write.
#[derive(Clone, Debug)]
pub struct Leadership(watch::Receiver<Option<Instant>>);

impl Leadership {
    /// A term that others end, and the hand that does.
    pub fn new() -> (watch::Sender<Option<Instant>>, Self) {
        let (sender, receiver) = watch::channel(None);
        (sender, Self(receiver))
    }

    /// Whether this process leads now.
    pub fn is_valid(&self) -> bool {
        self.0.borrow().is_some_and(|until| Instant::now() < until)
    }

    /// Waits until this process leads; false: it never will.
    pub async fn begins(&mut self) -> bool {
        self.0.wait_for(|until| until.is_some_and(|until| Instant::now() < until)).await.is_ok()
    }

    /// Waits until it does not.
    pub async fn ends(&mut self) {
        loop {
            let Some(until) = *self.0.borrow_and_update() else { return };
            tokio::select! {
                changed = self.0.changed() => if changed.is_err() { return },
                () = sleep_until(until.into()) => if !self.is_valid() { return },
            }
        }
    }
}

/// Takes part in the election until stopped; then gives the Lease back, if it is this process's.
pub async fn run(
    store: impl Store,
    identity: String,
    times: Times,
    term: watch::Sender<Option<Instant>>,
    listener: impl Listener,
    stop: CancellationToken,
) {
    let mut candidate = Candidate::new(identity, times);
    let mut newest = 0;
    while !stop.is_cancelled() {
        let started = tokio::time::Instant::now();
        match timeout(times.answer, round(&store, &mut candidate, &mut newest, &listener)).await {
            Ok(Ok(())) => listener.reached(),
            Ok(Err(error)) => listener.lost(&error.to_string()),
            Err(_) => listener.lost(&format!("no answer within {} s", times.answer.as_secs_f32())),
        }
        let until = candidate.until();
        term.send_if_modified(|current| std::mem::replace(current, until) != until);
        let pause = if until.is_some() { times.renew } else { times.look };
        tokio::select! {
            () = sleep_until(started + pause) => {}
            () = stop.cancelled() => {}
        }
    }
    term.send_replace(None);
    release(&store, &mut candidate, times).await;
}

async fn round<S: Store>(
    store: &S,
    candidate: &mut Candidate,
    newest: &mut u64,
    listener: &impl Listener,
) -> Result<(), S::Error> {
    let read = store.read().await?;
    // Versions are numbers that grow with every write to the API server's store.
    if let Some(version) = read.as_ref().and_then(|read| read.version.parse::<u64>().ok()) {
        if version < *newest {
            listener.rewound();
        }
        *newest = version;
    }
    if let Next::Write(record) = candidate.decide(read.as_ref(), Instant::now()) {
        let sent = Instant::now();
        if let Some(version) = store.write(&record).await? {
            *newest = version.parse().unwrap_or(*newest);
            candidate.wrote(version, sent);
        }
    }
    Ok(())
}

async fn release(store: &impl Store, candidate: &mut Candidate, times: Times) {
    let released = timeout(times.answer, async {
        if let Ok(Some(read)) = store.read().await
            && let Some(record) = candidate.release(&read)
        {
            let _ = store.write(&record).await;
        }
    });
    if released.await.is_err() {
        tracing::info!("Could not give the Lease back in time; another replica leads when it has run out");
    }
}

#[cfg(test)]
mod tests;
