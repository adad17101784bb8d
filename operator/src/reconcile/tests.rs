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

fn world() -> World {
    let mut cluster = Cluster::with_nodes(&["a"]);
    cluster.object("x");
    let world = World::default();
    *world.lock() = cluster.observed;
    world
}

#[test]
fn an_answer_is_known_before_a_watch_tells_it() {
    let world = world();
    merge(&world, written("uid-of-x", 5));
    assert_eq!(world.lock().accelerations["x"].generation, 5);
}

/// The write let it go, and the watch has told so already; or another one has its name by now.
#[test]
fn what_is_gone_is_not_made_known_anew() {
    let world = world();
    merge(&world, written("uid-of-another", 5));
    assert_eq!(world.lock().accelerations["x"].generation, 1);
    world.lock().accelerations.clear();
    merge(&world, written("uid-of-x", 5));
    assert!(world.lock().accelerations.is_empty());
}

#[test]
fn what_blocks_is_gone_with_the_term() {
    let world = world();
    merge(&world, Outcome::Blocked(Some("cannot patch DaemonSet x: y".into())));
    assert_eq!(world.lock().trouble.as_deref(), Some("cannot patch DaemonSet x: y"));
    stop(&world);
    assert_eq!(world.lock().trouble, None);
}
