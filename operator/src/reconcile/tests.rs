use kube::core::DynamicObject;
use serde_json::json;

use super::*;
use crate::plan::fixtures::Cluster;

fn written(uid: &str, generation: i64) -> Outcome {
    let object: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "meshaccel.dev/v1alpha1", "kind": "MeshAcceleration",
        "metadata": {"name": "x", "uid": uid, "generation": generation, "resourceVersion": "9"},
        "spec": {"podSelector": {}},
    }))
    .expect("an object");
    Outcome::Written(Box::new(object))
}

fn cache() -> Cache {
    let mut cluster = Cluster::with_nodes(&["a"]);
    cluster.object("x");
    let cache = Cache::default();
    *cache.lock() = cluster.observed;
    cache
}

#[test]
fn an_answer_is_known_before_a_watch_tells_it() {
    let cache = cache();
    merge(&cache, written("uid-of-x", 5));
    assert_eq!(cache.lock().accelerations["x"].generation, 5);
}

/// The write let it go, and the watch has told so already; or another one has its name by now.
#[test]
fn what_is_gone_is_not_made_known_anew() {
    let cache = cache();
    merge(&cache, written("uid-of-another", 5));
    assert_eq!(cache.lock().accelerations["x"].generation, 1);
    cache.lock().accelerations.clear();
    merge(&cache, written("uid-of-x", 5));
    assert!(cache.lock().accelerations.is_empty());
}

#[test]
fn what_blocks_is_gone_with_the_term() {
    let cache = cache();
    merge(&cache, Outcome::Blocked(Some("cannot patch DaemonSet x: y".into())));
    assert_eq!(cache.lock().cannot_deploy.as_deref(), Some("cannot patch DaemonSet x: y"));
    stop(&cache);
    assert_eq!(cache.lock().cannot_deploy, None);
}
