//! The loop against a store in memory, ten times as fast as in a cluster.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::election::USUAL;
use super::*;

fn times() -> Times {
    let Times { lease, deadline, renew, look, answer } = USUAL;
    Times { lease: lease / 10, deadline: deadline / 10, renew: renew / 10, look: look / 10, answer: answer / 10 }
}

#[derive(Default)]
struct Shelf {
    lease: Mutex<Option<Record>>,
    /// Requests are never answered.
    frozen: AtomicBool,
    writes: AtomicUsize,
}

#[derive(Clone, Default)]
struct Shared(Arc<Shelf>);

impl Shared {
    async fn answer(&self) {
        while self.0.frozen.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Store for Shared {
    type Error = Infallible;

    async fn read(&self) -> Result<Option<Record>, Infallible> {
        self.answer().await;
        Ok(self.0.lease.lock().unwrap().clone())
    }

    async fn write(&self, record: &Record) -> Result<Option<String>, Infallible> {
        self.answer().await;
        let mut lease = self.0.lease.lock().unwrap();
        if lease.as_ref().map(|lease| lease.version.clone()).unwrap_or_default() != record.version {
            return Ok(None);
        }
        let version = (self.0.writes.fetch_add(1, Ordering::Relaxed) + 1).to_string();
        *lease = Some(Record { version: version.clone(), ..record.clone() });
        Ok(Some(version))
    }
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<&'static str>>>);

impl Listener for Heard {
    fn reached(&self) {
        self.0.lock().unwrap().push("reached");
    }
    fn lost(&self, _: &str) {
        self.0.lock().unwrap().push("lost");
    }
    fn rewound(&self) {
        self.0.lock().unwrap().push("rewound");
    }
}

struct Replica {
    term: Leadership,
    heard: Heard,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn replica(name: &str, store: &Shared) -> Replica {
    let (sender, term) = Leadership::new();
    let (heard, stop) = (Heard::default(), CancellationToken::new());
    let task = tokio::spawn(run(store.clone(), name.into(), times(), sender, heard.clone(), stop.clone()));
    Replica { term, heard, stop, task }
}

/// A second of a cluster's time.
async fn seconds(seconds: u32) {
    tokio::time::sleep(Duration::from_millis(100) * seconds).await;
}

#[tokio::test]
async fn one_leads_and_a_killed_leader_is_replaced_when_its_lease_has_run_out() {
    let store = Shared::default();
    let one = replica("one", &store);
    seconds(1).await;
    let mut two = replica("two", &store);
    seconds(30).await;
    assert!(one.term.is_valid() && !two.term.is_valid());
    one.task.abort();
    let killed = tokio::time::Instant::now();
    assert!(two.term.begins().await);
    let took = killed.elapsed();
    assert!(took >= times().lease - times().renew, "{took:?}");
    assert!(!one.term.is_valid());
}

#[tokio::test]
async fn a_leader_that_ends_is_replaced_at_once() {
    let store = Shared::default();
    let one = replica("one", &store);
    seconds(1).await;
    let mut two = replica("two", &store);
    seconds(5).await;
    one.stop.cancel();
    let stopped = tokio::time::Instant::now();
    assert!(two.term.begins().await);
    assert!(stopped.elapsed() < times().lease - times().renew, "{:?}", stopped.elapsed());
}

#[tokio::test]
async fn a_leader_that_cannot_renew_stops_writing_before_others_begin() {
    let store = Shared::default();
    let mut one = replica("one", &store);
    seconds(5).await;
    store.0.frozen.store(true, Ordering::Relaxed);
    let frozen = tokio::time::Instant::now();
    one.term.ends().await;
    assert!(frozen.elapsed() < times().lease, "{:?}", frozen.elapsed());
    assert!(one.heard.0.lock().unwrap().contains(&"lost"));
    store.0.frozen.store(false, Ordering::Relaxed);
    assert!(one.term.begins().await, "it may lead again");
}

#[tokio::test]
async fn a_store_that_goes_back_in_time_is_noticed() {
    let store = Shared::default();
    let one = replica("one", &store);
    seconds(30).await;
    assert!(!one.heard.0.lock().unwrap().contains(&"rewound"));
    store.0.lease.lock().unwrap().as_mut().unwrap().version = "3".into();
    store.0.writes.store(3, Ordering::Relaxed);
    seconds(5).await;
    assert_eq!(one.heard.0.lock().unwrap().iter().filter(|what| **what == "rewound").count(), 1);
    assert!(one.term.is_valid());
}
