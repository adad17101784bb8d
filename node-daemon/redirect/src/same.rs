//! Whether two states of the objects ask the same of this node. Pure.

use meshaccel_crds::MeshAcceleration;
use meshaccel_model::Objects;

use crate::select::Selection;

/// The same pods with the same settings, for the same objects in the same generations, all of which a report names.
pub fn asks(before: &(Objects, Selection), after: &(Objects, Selection)) -> bool {
    let ((before, selected), (after, selects)) = (before, after);
    selected == selects
        && before.node == after.node
        && before.refused == after.refused
        && before.accelerations.len() == after.accelerations.len()
        && before
            .accelerations
            .iter()
            .zip(&after.accelerations)
            .all(|(b, a)| identity(&b.object) == identity(&a.object))
}

/// What of an object a report depends on, beside what is selected: its status may well have changed.
fn identity(object: &MeshAcceleration) -> (Option<&str>, Option<&str>, Option<i64>, bool) {
    let metadata = &object.metadata;
    let leaving = metadata.deletion_timestamp.is_some();
    (metadata.name.as_deref(), metadata.uid.as_deref(), metadata.generation, leaving)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use meshaccel_model::{Located, NodeIdentity, Origin};
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;
    use crate::select::select;

    fn located<T: DeserializeOwned>(object: &Value) -> Located<T> {
        let object = serde_json::from_value(object.clone()).expect("the tests hold objects of the right types");
        Located { object: Arc::new(object), origin: Arc::new(Origin::default()) }
    }

    fn world(acceleration: &Value, pod: &Value, node: &str) -> (Objects, Selection) {
        let labels = [("zone".to_owned(), node.to_owned())].into();
        let node = NodeIdentity { name: "n".to_owned(), uid: "n-uid".to_owned(), labels };
        let objects = Objects {
            node: Some(Arc::new(node)),
            accelerations: vec![located(acceleration)],
            pods: vec![located(pod)],
            ..Objects::default()
        };
        let selection = select(&objects);
        (objects, selection)
    }

    #[test]
    fn only_what_asks_for_something_else_is_a_change() {
        let acceleration = json!({
            "apiVersion": "meshaccel.dev/v1alpha1", "kind": "MeshAcceleration",
            "metadata": {"name": "shop", "uid": "u", "generation": 1, "resourceVersion": "7"},
            "spec": {"podSelector": {"matchLabels": {"app": "web"}}},
        });
        let pod = json!({
            "metadata": {"name": "web", "namespace": "shop", "uid": "p", "resourceVersion": "8", "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "app"}]},
        });
        let first = world(&acceleration, &pod, "a");
        assert_eq!(first.1.pods.len(), 1);
        let with = |object: &Value, pointer: &str, value: Value| {
            let mut object = object.clone();
            let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
            object.pointer_mut(parent).expect("the parent is there")[key] = value;
            object
        };
        for (pointer, value) in [
            ("/metadata/resourceVersion", json!("9")),
            ("/metadata/labels/revision", json!("2")),
            ("/status", json!({"phase": "Running"})),
        ] {
            let changed = with(&pod, pointer, value);
            assert!(asks(&first, &world(&acceleration, &changed, "a")), "{pointer} of the pod");
        }
        for (pointer, value) in [
            ("/metadata/uid", json!("q")),
            ("/metadata/labels/app", json!("other")),
            ("/status", json!({"phase": "Failed"})),
            ("/spec/hostNetwork", json!(true)),
        ] {
            let changed = with(&pod, pointer, value);
            assert!(!asks(&first, &world(&acceleration, &changed, "a")), "{pointer} of the pod");
        }
        assert!(asks(&first, &world(&with(&acceleration, "/metadata/resourceVersion", json!("9")), &pod, "a")));
        for (pointer, value) in [
            ("/metadata/generation", json!(2)),
            ("/metadata/uid", json!("v")),
            ("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z")),
            ("/spec/mode", json!("Observe")),
        ] {
            let changed = with(&acceleration, pointer, value);
            assert!(!asks(&first, &world(&changed, &pod, "a")), "{pointer} of the MeshAcceleration");
        }
        assert!(!asks(&first, &world(&acceleration, &pod, "b")), "the node's labels");
    }
}
