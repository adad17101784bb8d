//! A Kubernetes API server as a source: watches on MeshAccelerations, namespaces and this machine's own Node (names and labels
//! only), and the pods of this node, never those of another.
//!
//! What was last seen stays while the API server is away; [`ApiHealth`] tells since when. Nothing is handed over before
//! all of it was seen once: half a state would release pods that are to stay.

mod trim;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, Stream};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DynamicObject, PartialObjectMeta, TypeMeta};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{Lookup, ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use meshaccel_crds::{MeshAcceleration, names, validate};
use meshaccel_model::{Located, NodeIdentity, Objects, Origin, Problem, Refused};
use meshaccel_service::Backoff;
pub use meshaccel_watch::ApiHealth;
use meshaccel_watch::{Follower, Relist, follow};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

use crate::IsRead;

/// Changes that come together (a Deployment that is scaled, a list after an outage) are one change.
const TOGETHER: Duration = Duration::from_millis(30);

/// Pauses between attempts to watch. (kube's own go up to 30 s: so long would a deletion wait after an outage.)
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(5)];

/// The cluster as one node sees it.
pub struct Cluster {
    node: String,
    accelerations: Store<DynamicObject>,
    namespaces: Store<PartialObjectMeta<Namespace>>,
    pods: Store<Pod>,
    nodes: Store<PartialObjectMeta<Node>>,
    changes: Arc<Notify>,
    /// Until when changes that come together are waited for; `None`: there was none.
    due: Option<Instant>,
    api_health: ApiHealth,
}

impl Cluster {
    /// Begins to watch; of pods, keeps the annotations that are read. Must be called within a tokio runtime.
    #[must_use]
    pub fn watch(client: &Client, node: &str, is_read: IsRead) -> Self {
        let (changes, api_health) = (Arc::new(Notify::new()), ApiHealth::default());
        let follow = Follow { changes: &changes, api_health: &api_health };
        // From the API server's cache: thousands of daemons that start together must not all read from etcd.
        let config = watcher::Config::default().any_semantic();
        let resource = ApiResource::erase::<MeshAcceleration>(&());
        let writer = Writer::new(resource.clone());
        let accelerations: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let every = config.clone();
        let watch = move || watcher(accelerations.clone(), every.clone());
        let accelerations = follow.follow(names::KIND, writer, watch);
        let (namespaces, every) = (Api::<PartialObjectMeta<Namespace>>::all(client.clone()), config.clone());
        let watch = move || watcher(namespaces.clone(), every.clone());
        let namespaces = follow.follow("Namespace", Writer::default(), watch);
        let (nodes, own) = (Api::<PartialObjectMeta<Node>>::all(client.clone()), config.clone());
        let own = own.fields(&format!("metadata.name={node}"));
        let nodes = follow.follow("Node", Writer::default(), move || watcher(nodes.clone(), own.clone()));
        let (pods, own) = (Api::<Pod>::all(client.clone()), config.fields(&format!("spec.nodeName={node}")));
        let watch = move || watcher(pods.clone(), own.clone()).modify(move |pod| trim::pod(pod, is_read));
        let pods = follow.follow("Pod", Writer::default(), watch);
        Self { node: node.to_owned(), accelerations, namespaces, pods, nodes, changes, due: None, api_health }
    }

    /// Whether the API server is within reach.
    #[must_use]
    pub fn api_health(&self) -> &ApiHealth {
        &self.api_health
    }

    /// The state as last seen; `None` before all of it was.
    #[must_use]
    pub fn objects(&self) -> Option<Objects> {
        let node = self.nodes.get(&ObjectRef::new(&self.node));
        let seen = self.api_health.seen() == KINDS;
        // Without its Node's labels nobody can say what names this node.
        let (true, Some(node)) = (seen, node) else { return None };
        let mut objects = Objects {
            node: Some(Arc::new(NodeIdentity {
                name: self.node.clone(),
                uid: node.metadata.uid.clone().unwrap_or_default(),
                labels: node.metadata.labels.clone().unwrap_or_default(),
            })),
            namespaces: self.namespaces.state().iter().map(|found| located(namespace(found))).collect(),
            pods: self.pods.state().into_iter().map(shared).collect(),
            ..Objects::default()
        };
        for found in self.accelerations.state() {
            match read(&found) {
                Ok(acceleration) => objects.accelerations.push(located(acceleration)),
                Err(problem) => {
                    objects.refused.push(Refused {
                        name: found.metadata.name.clone().unwrap_or_default(),
                        uid: found.metadata.uid.clone().unwrap_or_default(),
                        generation: found.metadata.generation.unwrap_or_default(),
                        message: problem.sentence(),
                    });
                    objects.problems.push(problem);
                }
            }
        }
        objects.accelerations.sort_by(|a, b| a.object.metadata.name.cmp(&b.object.metadata.name));
        Some(objects)
    }

    /// Waits for the next change. Cancel safe: who is interrupted goes on where it was, so that somebody who looks after
    /// connections more often than every [`TOGETHER`] learns of changes as soon as anybody else.
    pub async fn changed(&mut self) -> Objects {
        loop {
            until_quiet(&self.changes, &mut self.due).await;
            if let Some(objects) = self.objects() {
                return objects;
            }
        }
    }
}

/// Waits for a change, and for those that come together with it. `due` outlives a call that is dropped.
async fn until_quiet(changes: &Notify, due: &mut Option<Instant>) {
    let at = match *due {
        Some(at) => at,
        None => {
            changes.notified().await;
            *due.insert(Instant::now() + TOGETHER)
        }
    };
    sleep_until(at).await;
    // What came meanwhile is part of what is looked at now.
    let _ = changes.notified().now_or_never();
    *due = None;
}

/// How many kinds are watched.
const KINDS: usize = 4;

/// What every watch shares.
struct Follow<'a> {
    changes: &'a Arc<Notify>,
    api_health: &'a ApiHealth,
}

impl Follow<'_> {
    /// Spawns the task of one watch; it ends with the runtime.
    fn follow<K, S>(&self, kind: &'static str, writer: Writer<K>, watch: impl Fn() -> S + Send + 'static) -> Store<K>
    where
        S: Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
        K: Lookup + Clone + Send + Sync + 'static,
        K::DynamicType: Eq + std::hash::Hash + Clone + Send + Sync,
    {
        let store = writer.as_reader();
        let (api_health, mut kept) = (self.api_health.clone(), Kept { writer, changes: Arc::clone(self.changes) });
        let following = async move {
            let [first, longest] = PAUSES;
            follow(kind, &api_health, Backoff::new(first, longest), &Relist::default(), watch, &mut kept).await;
        };
        tokio::spawn(following.instrument(tracing::info_span!("watch", kind)));
        store
    }
}

/// What is known of one kind.
struct Kept<K: Lookup + Clone + 'static>
where
    K::DynamicType: Eq + std::hash::Hash + Clone,
{
    writer: Writer<K>,
    changes: Arc<Notify>,
}

impl<K: Lookup + Clone> Follower<K> for Kept<K>
where
    K::DynamicType: Eq + std::hash::Hash + Clone,
{
    fn take(&mut self, event: Event<K>) {
        self.writer.apply_watcher_event(&event);
        // A list is told when it is complete.
        if !matches!(event, Event::Init | Event::InitApply(_)) {
            self.changes.notify_one();
        }
    }
}

/// A MeshAcceleration, read as strictly as from a file: one that this version does not understand in full is left out
/// and named, instead of being half obeyed.
fn read(found: &DynamicObject) -> Result<MeshAcceleration, Problem> {
    let name = found.metadata.name.as_deref().unwrap_or_default();
    let problem = |field: Option<String>, message: String| Problem {
        file: String::new(),
        line: None,
        field,
        object: Some(format!("{} {name}", names::KIND)),
        message,
    };
    // The items of a list need not say what they are.
    let found = DynamicObject { types: Some(TypeMeta::resource::<MeshAcceleration>()), ..found.clone() };
    let value = serde_json::to_value(found).map_err(|error| problem(None, error.to_string()))?;
    let acceleration: MeshAcceleration = serde_path_to_error::deserialize(value).map_err(|error| {
        let message = format!("this version of meshaccel does not understand it: {}", error.inner());
        problem(Some(error.path().to_string()), message)
    })?;
    match validate(&acceleration).into_iter().next() {
        Some(violation) => Err(problem(Some(violation.field), violation.message)),
        None => Ok(acceleration),
    }
}

fn namespace(found: &PartialObjectMeta<Namespace>) -> Namespace {
    let labels: Option<BTreeMap<_, _>> = found.metadata.labels.clone();
    let metadata = ObjectMeta { name: found.metadata.name.clone(), labels, ..ObjectMeta::default() };
    Namespace { metadata, ..Namespace::default() }
}

fn located<T>(object: T) -> Located<T> {
    shared(Arc::new(object))
}

fn shared<T>(object: Arc<T>) -> Located<T> {
    Located { object, origin: Arc::new(Origin::default()) }
}

#[cfg(test)]
mod tests;
