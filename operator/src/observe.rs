//! Keeps [`Observed`] up to date by watching. Reads, never writes; every replica does it, so that a new leader knows all.
//!
//! One task a kind: list, watch, and after any error list again. Not resuming a watch where it broke costs a few pages and
//! makes 410 (Expired), and an API server that was restored from an older copy, the same case as all others.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use meshaccel_service::Backoff;
use tokio::sync::{Notify, watch};

use crate::plan::observed::{Blindness, Kind, Observed};
use crate::trouble::{Operation, sentence};

pub mod take;

use take::{Change, Watched};

/// The server ends each watch after this time. A connection that died without a word is noticed 5 s later, well before
/// the nodes behind it would be taken for silent.
const WATCH: u32 = 60;
/// Pauses after failures. An API server that comes back is noticed within the longest.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));
/// Who watched for so long without an error starts with the first pause again.
const CALM: Duration = Duration::from_secs(60);

/// What all tasks share.
#[derive(Clone, Default)]
pub struct World(Arc<Shared>);

#[derive(Default)]
struct Shared {
    observed: Mutex<Observed>,
    /// Something changed that people wait for.
    urgent: Notify,
    /// Something changed that only counts.
    lazy: Notify,
    /// Raised to make every watch begin anew.
    epoch: watch::Sender<u64>,
}

impl World {
    /// Never held across an await.
    pub fn lock(&self) -> MutexGuard<'_, Observed> {
        // A panic while it was held left plain data behind, each object of it whole.
        self.0.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something that people wait for.
    pub async fn urgent(&self) {
        self.0.urgent.notified().await;
    }

    /// Waits for something that only counts.
    pub async fn lazy(&self) {
        self.0.lazy.notified().await;
    }

    /// Says that something changed.
    pub fn changed(&self, change: Change) {
        match change {
            Change::Nothing => {}
            Change::Counts => self.0.lazy.notify_one(),
            Change::Matters => self.0.urgent.notify_one(),
        }
    }

    /// Has everything listed again.
    pub fn reread(&self) {
        self.0.epoch.send_modify(|epoch| *epoch += 1);
    }

    /// What is not yet listed, for people who wonder why the operator is not ready.
    pub fn missing(&self) -> Vec<&'static str> {
        let observed = self.lock();
        Kind::ALL.iter().filter(|kind| !observed.synced.contains(kind)).map(|kind| kind.as_str()).collect()
    }
}

/// Watches one kind for ever. `narrow`: by a field selector.
#[tracing::instrument(name = "watch", skip_all, fields(kind = ?K::KIND))]
pub async fn observe<K: Watched>(world: World, api: Api<K>, operation: Operation, narrow: Option<String>) {
    let mut epoch = world.0.epoch.subscribe();
    let (mut backoff, mut outage) = (PAUSES, None::<Outage>);
    let config = watcher::Config { field_selector: narrow, ..watcher::Config::default().timeout(WATCH) };
    loop {
        epoch.mark_unchanged();
        let mut round = Round { world: &world, listing: None };
        let mut events = watcher(api.clone(), config.clone()).boxed();
        let began = Instant::now();
        let failure = loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(event)) => if round.take(event) { Outage::end(&mut outage, K::KIND, &world) },
                    Some(Err(error)) => break Some(error),
                    None => break None,
                },
                _ = epoch.changed() => break None,
            }
        };
        if let Some(error) = failure {
            Outage::go_on(&mut outage, K::KIND, &world, &why(&operation, error));
            if began.elapsed() > CALM {
                backoff.reset();
            }
            tokio::time::sleep(backoff.failed(rand::random())).await;
        }
    }
}

/// The watches' own words for the cause.
fn why(operation: &Operation, error: watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error) => sentence(operation, &error),
        watcher::Error::WatchStartFailed(error) | watcher::Error::WatchFailed(error) => {
            sentence(&Operation { verb: "watch", ..operation.clone() }, &error)
        }
        watcher::Error::WatchError(status) => status.message,
        watcher::Error::NoResourceVersion => "the API server sent a list without a version".into(),
    }
}

/// From one list to the next.
struct Round<'a> {
    world: &'a World,
    /// Names that were listed so far, while a list is read.
    listing: Option<HashSet<String>>,
}

impl Round<'_> {
    /// Takes an event in; true: the list is complete.
    fn take<K: Watched>(&mut self, event: Event<K>) -> bool {
        let now = Instant::now();
        let mut observed = self.world.lock();
        let mut complete = false;
        let change = match event {
            Event::Init => {
                self.listing = Some(HashSet::new());
                Change::Nothing
            }
            Event::InitApply(object) => {
                self.listing.get_or_insert_default().insert(object.name_any());
                object.take(&mut observed, true, now)
            }
            Event::InitDone => {
                let listed = self.listing.take().unwrap_or_default();
                for name in K::known(&observed) {
                    if !listed.contains(&name) {
                        K::forget(&mut observed, &name);
                    }
                }
                observed.synced.insert(K::KIND);
                complete = true;
                Change::Matters
            }
            Event::Apply(object) => object.take(&mut observed, false, now),
            Event::Delete(object) => {
                K::forget(&mut observed, &object.name_any());
                Change::Matters
            }
        };
        drop(observed);
        self.world.changed(change);
        complete
    }
}

/// A watch that is broken. Said once, and once when it is over.
struct Outage {
    since: Instant,
    said: String,
}

impl Outage {
    fn go_on(outage: &mut Option<Self>, kind: Kind, world: &World, why: &str) {
        let now = Instant::now();
        if kind == Kind::NodeAcceleration {
            world.lock().blinded(Blindness::Watch, now);
        }
        match outage {
            Some(Self { said, .. }) if said == why => tracing::debug!(kind = kind.as_str(), why, "Still cannot watch"),
            Some(outage) => {
                tracing::debug!(kind = kind.as_str(), why, "Still cannot watch");
                why.clone_into(&mut outage.said);
            }
            None => {
                tracing::warn!(kind = kind.as_str(), why, "Lost the watch; trying again");
                *outage = Some(Self { since: now, said: why.to_owned() });
            }
        }
    }

    fn end(outage: &mut Option<Self>, kind: Kind, world: &World) {
        if kind == Kind::NodeAcceleration {
            world.lock().sighted(Blindness::Watch, Instant::now());
        }
        if let Some(outage) = outage.take() {
            tracing::info!(kind = kind.as_str(), after_s = outage.since.elapsed().as_secs(), "Watching again");
        }
    }
}

/// The four watches, as one future.
pub async fn observe_all(world: World, client: Client, namespace: String) {
    use k8s_openapi::api::apps::v1::DaemonSet;
    use kube::discovery::ApiResource;
    use meshaccel_crds::{MeshAcceleration, NodeAcceleration};

    let accelerations = ApiResource::erase::<MeshAcceleration>(&());
    let list = |resource: &ApiResource| Operation::new("list", resource);
    let daemon_set = ApiResource::erase::<DaemonSet>(&());
    let daemon = crate::plan::daemon::DAEMON;
    tokio::join!(
        observe::<kube::core::DynamicObject>(
            world.clone(),
            Api::all_with(client.clone(), &accelerations),
            list(&accelerations),
            None,
        ),
        observe::<take::SomeReport>(
            world.clone(),
            Api::all(client.clone()),
            list(&ApiResource::erase::<NodeAcceleration>(&())),
            None,
        ),
        observe::<take::SomeNode>(
            world.clone(),
            Api::all(client.clone()),
            list(&ApiResource::erase::<k8s_openapi::api::core::v1::Node>(&())),
            None,
        ),
        observe::<DaemonSet>(
            world,
            Api::namespaced(client, &namespace),
            list(&daemon_set).on(Some(&namespace), daemon),
            Some(format!("metadata.name={daemon}")),
        ),
    );
}
