//! What holds for any objects.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

/// Pods with few labels and few places, so that they clash often.
fn any_pod() -> impl Strategy<Value = Value> {
    ("[a-d]", "[xy]", proptest::option::of("[12]"), proptest::option::of("/[mno]"), any::<bool>(), 0..8_u8).prop_map(
        |(name, namespace, label, netns, opted_out, host)| {
            let mut annotations = json!({});
            if let Some(path) = netns {
                annotations["meshaccel.dev/netns"] = json!(path);
            }
            if opted_out {
                annotations["meshaccel.dev/accelerate"] = json!("false");
            }
            let mut pod = annotated(&name, annotations);
            pod["metadata"]["namespace"] = json!(namespace);
            pod["metadata"]["labels"] = label.map_or(json!({}), |label| json!({"l": label}));
            pod["spec"]["hostNetwork"] = json!(host == 0);
            pod
        },
    )
}

fn any_acceleration() -> impl Strategy<Value = Value> {
    (0..50_u8, proptest::option::of("[12]"), proptest::option::of("[xy]"), proptest::option::of(1..4_u8)).prop_map(
        |(name, label, namespace, month)| {
            let pods = label.map_or(json!({}), |label| json!({"matchLabels": {"l": label}}));
            let namespaces =
                namespace.map_or(json!({}), |name| json!({"matchLabels": {"kubernetes.io/metadata.name": name}}));
            let object =
                acceleration(&format!("a{name}"), json!({"podSelector": pods, "namespaceSelector": namespaces}));
            month.map_or(object.clone(), |month| created(object, &format!("2026-0{month}-01T00:00:00Z")))
        },
    )
}

/// As a source hands them over: no two objects of one name.
fn unique(objects: Vec<Value>) -> Vec<Value> {
    let mut seen = HashSet::new();
    let key = |object: &Value| format!("{}/{}", object["metadata"]["namespace"], object["metadata"]["name"]);
    objects.into_iter().filter(|object| seen.insert(key(object))).collect()
}

fn any_world() -> impl Strategy<Value = (Vec<Value>, Vec<Value>)> {
    let accelerations = proptest::collection::vec(any_acceleration(), 0..5).prop_map(unique);
    (accelerations, proptest::collection::vec(any_pod(), 0..8).prop_map(unique))
}

proptest! {
    #[test]
    fn the_order_of_the_objects_decides_nothing((mut accelerations, mut pods) in any_world()) {
        let forward = select(&objects(&accelerations, &[], &pods));
        accelerations.reverse();
        pods.reverse();
        prop_assert_eq!(forward, select(&objects(&accelerations, &[], &pods)));
    }

    #[test]
    fn each_pod_and_each_place_has_one_fate((accelerations, pods) in any_world()) {
        let selection = select(&objects(&accelerations, &[], &pods));
        let mut names = HashSet::new();
        let selected = selection.pods.iter().map(|pod| (&pod.namespace, &pod.name));
        let skipped = selection.skipped.iter().map(|pod| (&pod.namespace, &pod.name));
        for name in selected.chain(skipped) {
            prop_assert!(names.insert(name), "{name:?} twice");
        }
        let places: HashSet<_> = selection.pods.iter().map(|pod| &pod.location).collect();
        prop_assert_eq!(places.len(), selection.pods.len());
    }

    #[test]
    fn a_younger_object_takes_no_pod_away((accelerations, pods) in any_world()) {
        let before = select(&objects(&accelerations, &[], &pods));
        let mut more = accelerations;
        more.push(acceleration("z-newest", json!({"podSelector": {}})));
        let after = select(&objects(&more, &[], &pods));
        let kept: Vec<_> = after.pods.into_iter().filter(|pod| pod.acceleration != "z-newest").collect();
        // A pod that was nobody's may now hold a place that another one had, by its name; that one is told.
        let lost = before.pods.iter().filter(|pod| !kept.contains(pod));
        for pod in lost {
            prop_assert!(after.skipped.iter().any(|skipped| skipped.name == pod.name && skipped.message.contains("already lives")));
        }
    }
}
