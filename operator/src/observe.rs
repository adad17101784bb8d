//! Keeps [`Observed`] up to date by watching. Reads, never writes; every replica does it, so that a new leader knows all.
//!
//! One task a kind, which [follows](follow()) it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use meshaccel_service::Backoff;
use meshaccel_watch::{ApiHealth, Follower, Relist, follow};
use tokio::sync::Notify;

use crate::api_error::{Operation, sentence};
use crate::plan::observed::{Kind, Observed, Outage};

pub mod take;

use take::{Change, Watched};

/// The server ends each watch after this time. A connection that died without a word is noticed 5 s later, well before
/// the nodes behind it would be taken for silent.
const WATCH: u32 = 60;
/// Pauses after failures. An API server that comes back is noticed within the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(10)];

/// What all tasks share.
#[derive(Clone, Default)]
pub struct Cache(Arc<Shared>);

#[derive(Default)]
struct Shared {
    observed: Mutex<Observed>,
    /// Something changed that people wait for.
    urgent: Notify,
    /// Something changed that only counts.
    lazy: Notify,
    /// Makes every watch begin anew.
    relist: Relist,
    api_health: ApiHealth,
}

impl Cache {
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

    /// Whether the API server answers.
    pub fn api_health(&self) -> &ApiHealth {
        &self.0.api_health
    }

    /// Has everything listed again.
    pub fn reread(&self) {
        self.0.relist.now();
    }

    /// What is not yet listed, for people who wonder why the operator is not ready.
    pub fn missing(&self) -> Vec<&'static str> {
        let observed = self.lock();
        Kind::ALL.iter().filter(|kind| !observed.synced.contains(kind)).map(|kind| kind.as_str()).collect()
    }
}

/// Watches one kind for ever. `narrow`: by a field selector.
#[tracing::instrument(name = "watch", skip_all, fields(kind = ?K::KIND))]
pub async fn observe<K: Watched>(cache: Cache, api: Api<K>, operation: Operation, narrow: Option<String>) {
    let config = watcher::Config { field_selector: narrow, ..watcher::Config::default().timeout(WATCH) };
    let open = || watcher(api.clone(), config.clone());
    let ([first, longest], shared) = (PAUSES, &cache.0);
    let mut follower = Observing { cache: &cache, operation, listing: None };
    let pauses = Backoff::new(first, longest);
    follow(K::KIND.as_str(), &shared.api_health, pauses, &shared.relist, open, &mut follower).await;
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

/// One kind.
struct Observing<'a> {
    cache: &'a Cache,
    /// What fails when it fails.
    operation: Operation,
    /// Names that were listed so far, while a list is read.
    listing: Option<HashSet<String>>,
}

impl<K: Watched> Follower<K> for Observing<'_> {
    fn take(&mut self, event: Event<K>) {
        let now = Instant::now();
        let mut observed = self.cache.lock();
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
                Change::Matters
            }
            Event::Apply(object) => object.take(&mut observed, false, now),
            Event::Delete(object) => {
                K::forget(&mut observed, &object.name_any());
                Change::Matters
            }
        };
        drop(observed);
        self.cache.changed(change);
    }

    fn explain(&self, error: watcher::Error) -> String {
        why(&self.operation, error)
    }

    fn lost(&mut self) {
        if K::KIND == Kind::NodeAcceleration {
            self.cache.lock().outage_began(Outage::Watch, Instant::now());
        }
    }

    fn found(&mut self) {
        if K::KIND == Kind::NodeAcceleration {
            self.cache.lock().outage_ended(Outage::Watch, Instant::now());
        }
    }
}

/// The four watches, as one future.
pub async fn observe_all(cache: Cache, client: Client, namespace: String) {
    use k8s_openapi::api::apps::v1::DaemonSet;
    use kube::discovery::ApiResource;
    use meshaccel_crds::{MeshAcceleration, NodeAcceleration};

    let accelerations = ApiResource::erase::<MeshAcceleration>(&());
    let list = |resource: &ApiResource| Operation::new("list", resource);
    let daemon_set = ApiResource::erase::<DaemonSet>(&());
    let daemon = crate::plan::daemon::DAEMON;
    tokio::join!(
        observe::<kube::core::DynamicObject>(
            cache.clone(),
            Api::all_with(client.clone(), &accelerations),
            list(&accelerations),
            None,
        ),
        observe::<take::SomeReport>(
            cache.clone(),
            Api::all(client.clone()),
            list(&ApiResource::erase::<NodeAcceleration>(&())),
            None,
        ),
        observe::<take::SomeNode>(
            cache.clone(),
            Api::all(client.clone()),
            list(&ApiResource::erase::<k8s_openapi::api::core::v1::Node>(&())),
            None,
        ),
        observe::<DaemonSet>(
            cache,
            Api::namespaced(client, &namespace),
            list(&daemon_set).on(Some(&namespace), daemon),
            Some(format!("metadata.name={daemon}")),
        ),
    );
}
