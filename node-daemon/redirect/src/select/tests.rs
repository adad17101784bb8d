//! One question a test; objects are built with verbs.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use meshaccel_model::{NodeIdentity, Origin};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

mod laws;

/// An object as read from line 1 of a file.
fn located<T: DeserializeOwned>(file: &str, object: Value) -> Located<T> {
    let object = serde_json::from_value(object).expect("the tests hold objects of the right types");
    let lines = [(String::new(), 1), ("spec".to_owned(), 5)].into_iter().collect();
    Located { object: Arc::new(object), origin: Arc::new(Origin { file: file.to_owned(), lines }) }
}

/// A pod with a network namespace of its own.
fn pod(name: &str) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": "shop", "labels": {"app": name},
            "annotations": {"meshaccel.dev/netns": format!("/run/netns/{name}")},
        },
        "spec": {"containers": [{"name": "app"}]},
    })
}

fn annotated(name: &str, annotations: Value) -> Value {
    let mut pod = pod(name);
    pod["metadata"]["annotations"] = annotations;
    pod
}

fn acceleration(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "meshaccel.dev/v1alpha1", "kind": "MeshAcceleration", "metadata": {"name": name}, "spec": spec})
}

fn created(mut acceleration: Value, time: &str) -> Value {
    acceleration["metadata"]["creationTimestamp"] = json!(time);
    acceleration
}

fn objects(accelerations: &[Value], namespaces: &[Value], pods: &[Value]) -> Objects {
    Objects {
        node: None,
        accelerations: accelerations
            .iter()
            .map(|object| located(&format!("{}.yaml", object["metadata"]["name"].as_str().unwrap()), object.clone()))
            .collect(),
        namespaces: namespaces.iter().map(|object| located::<Namespace>("namespaces.yaml", object.clone())).collect(),
        pods: pods.iter().map(|object| located("pods.yaml", object.clone())).collect(),
        refused: vec![],
        problems: vec![],
    }
}

fn all() -> Value {
    acceleration("all", json!({"podSelector": {}}))
}

/// Names of the selected pods, with the object that selects each.
fn chosen(selection: &Selection) -> Vec<(&str, &str)> {
    selection.pods.iter().map(|pod| (pod.name.as_str(), pod.acceleration.as_str())).collect()
}

fn only_skipped(pod: Value) -> (String, Vec<String>) {
    let selection = select(&objects(&[all()], &[], &[pod]));
    assert_eq!(selection.pods, []);
    assert_eq!(selection.skipped.len(), 1, "{selection:?}");
    (selection.skipped[0].message.clone(), selection.problems.iter().map(ToString::to_string).collect())
}

#[test]
fn pods_are_chosen_by_their_labels() {
    let spec = json!({"podSelector": {"matchLabels": {"app": "web"}}});
    let selection = select(&objects(&[acceleration("a", spec)], &[], &[pod("db"), pod("web")]));
    assert_eq!(chosen(&selection), [("web", "a")]);
    assert_eq!(selection.skipped, [], "a pod that nothing matches is nobody's business");
    assert_eq!(selection.pods[0].namespace, "shop");
    assert_eq!(selection.pods[0].location, Location::Netns("/run/netns/web".into()));
}

#[test]
fn pods_are_chosen_by_their_namespaces() {
    let mut elsewhere = pod("elsewhere");
    elsewhere["metadata"]["namespace"] = json!("bank");
    let pods = [elsewhere, pod("web")];
    let namespaces = [json!({"metadata": {"name": "shop", "labels": {"mesh": "on"}}})];
    let by = |selector: Value| {
        let objects = objects(&[acceleration("a", json!({"namespaceSelector": selector}))], &namespaces, &pods);
        chosen(&select(&objects)).iter().map(|(pod, _)| (*pod).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(by(json!({})), ["elsewhere", "web"]);
    assert_eq!(by(json!({"matchLabels": {"mesh": "on"}})), ["web"]);
    assert_eq!(by(json!({"matchExpressions": [{"key": "mesh", "operator": "DoesNotExist"}]})), ["elsewhere"]);
    // Both with and without a Namespace object.
    assert_eq!(by(json!({"matchLabels": {"kubernetes.io/metadata.name": "shop"}})), ["web"]);
    assert_eq!(by(json!({"matchLabels": {"kubernetes.io/metadata.name": "bank"}})), ["elsewhere"]);
}

#[test]
fn both_selectors_must_match() {
    let spec = json!({"podSelector": {"matchLabels": {"app": "web"}},
                      "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "bank"}}});
    let selection = select(&objects(&[acceleration("a", spec)], &[], &[pod("web")]));
    assert_eq!(selection, Selection::default());
}

#[test]
fn a_namespace_cannot_lie_about_its_name() {
    let namespaces = [json!({"metadata": {"name": "shop", "labels": {"kubernetes.io/metadata.name": "bank"}}})];
    let spec = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "bank"}}});
    assert_eq!(select(&objects(&[acceleration("a", spec)], &namespaces, &[pod("web")])).pods, []);
}

#[test]
fn pods_that_cannot_or_will_not_be_accelerated_are_skipped_with_a_reason() {
    let netns = "/run/netns/web";
    let opted_out = annotated("web", json!({"meshaccel.dev/netns": netns, "meshaccel.dev/accelerate": "false"}));
    let mut host = pod("web");
    host["spec"]["hostNetwork"] = json!(true);
    let mut done = pod("web");
    done["status"] = json!({"phase": "Succeeded"});
    let mut failed = pod("web");
    failed["status"] = json!({"phase": "Failed"});
    for (pod, message) in [
        (opted_out, "opted out by the annotation meshaccel.dev/accelerate"),
        (host, "uses the machine's own network (hostNetwork), where its connections are not its own"),
        (done, "has finished (phase Succeeded)"),
        (failed, "has finished (phase Failed)"),
        (
            annotated("web", json!({})),
            "no annotation meshaccel.dev/netns or meshaccel.dev/cgroup says where it lives on this machine",
        ),
    ] {
        assert_eq!(only_skipped(pod), (message.to_owned(), vec![]));
    }
}

#[test]
fn mistakes_in_annotations_are_problems_of_the_pods_file() {
    for (annotations, field, message) in [
        (
            json!({"meshaccel.dev/netns": "/a", "meshaccel.dev/cgroup": "/b"}),
            "meshaccel.dev/cgroup",
            "meshaccel.dev/netns and meshaccel.dev/cgroup are both given, only one is allowed",
        ),
        (json!({"meshaccel.dev/netns": "a/b"}), "meshaccel.dev/netns", "\"a/b\" is not an absolute path"),
        (json!({"meshaccel.dev/cgroup": ""}), "meshaccel.dev/cgroup", "\"\" is not an absolute path"),
        (json!({"meshaccel.dev/cgroup": "/a\n"}), "meshaccel.dev/cgroup", "\"/a\\n\" is not an absolute path"),
        (
            json!({"meshaccel.dev/netns": "/a", "meshaccel.dev/accelerate": "no"}),
            "meshaccel.dev/accelerate",
            "\"no\" is neither \"true\" nor \"false\"",
        ),
    ] {
        let (sentence, problems) = only_skipped(annotated("web", annotations));
        assert_eq!(sentence, format!("annotation {field}: {message}"));
        assert_eq!(problems, [format!("pods.yaml:1: metadata.annotations[{field}]: {message}")]);
    }
}

#[test]
fn saying_that_a_pod_may_be_accelerated_changes_nothing() {
    let pod =
        annotated("web", json!({"meshaccel.dev/cgroup": "/sys/fs/cgroup/web", "meshaccel.dev/accelerate": "true"}));
    let selection = select(&objects(&[all()], &[], &[pod]));
    assert_eq!(selection.pods[0].location, Location::Cgroup("/sys/fs/cgroup/web".into()));
    assert_eq!(selection.pods[0].location, Location::Cgroup("/sys/fs/cgroup/web".into()));
}

/// The kubelet knows it by the hash of its manifest; the uid is that of the mirror at the API server.
#[test]
fn a_static_pod_is_found_by_its_hash_and_no_annotation_names_another_pod() {
    const UID: &str = "3f2c1a9e-8d47-4b60-9c15-7e2a6b0d4f31";
    const OTHER: &str = "00000000-8d47-4b60-9c15-7e2a6b0d4f31";
    const HASH: &str = "0123456789abcdef0123456789abcdef";
    let (mirror, hash) = ("kubernetes.io/config.mirror", "kubernetes.io/config.hash");
    for (annotations, expected) in [
        (json!({mirror: HASH, hash: HASH}), HASH),
        (json!({}), UID),
        (json!({hash: HASH}), UID),
        (json!({mirror: OTHER, hash: OTHER}), UID),
        (json!({mirror: HASH, hash: ""}), UID),
        (json!({mirror: HASH, hash: "../../0123456789abcdef0123456789"}), UID),
    ] {
        let mut pod = annotated("web", annotations.clone());
        pod["metadata"]["uid"] = json!(UID);
        let node = NodeIdentity { name: "n".to_owned(), uid: "n-uid".to_owned(), labels: Default::default() };
        let objects = Objects { node: Some(Arc::new(node)), ..objects(&[all()], &[], &[pod]) };
        assert_eq!(select(&objects).pods[0].location, Location::Pod(expected.to_owned()), "{annotations}");
    }
}

#[test]
fn two_pods_cannot_live_in_one_place() {
    let place = json!({"meshaccel.dev/netns": "/run/netns/x"});
    let selection = select(&objects(&[all()], &[], &[annotated("b", place.clone()), annotated("a", place.clone())]));
    assert_eq!(chosen(&selection), [("a", "all")]);
    assert_eq!(selection.skipped[0].name, "b");
    assert_eq!(selection.problems[0].object.as_deref(), Some("Pod shop/b"));
    assert_eq!(selection.problems[0].message, "pod shop/a already lives at /run/netns/x, and no two pods can");
    // One that has finished is no longer there.
    let mut finished = annotated("a", place.clone());
    finished["status"] = json!({"phase": "Failed"});
    let selection = select(&objects(&[all()], &[], &[annotated("b", place), finished]));
    assert_eq!(chosen(&selection), [("b", "all")]);
    assert_eq!(selection.problems, []);
}

#[test]
fn the_oldest_object_wins_a_pod_then_the_first_by_name() {
    let spec = json!({"podSelector": {}});
    let [a, b, c] = ["a", "b", "c"].map(|name| acceleration(name, spec.clone()));
    let old = |object: &Value| created(object.clone(), "2026-01-01T00:00:00Z");
    let new = |object: &Value| created(object.clone(), "2026-02-01T00:00:00Z");
    for (accelerations, winner) in [
        (vec![b.clone(), a.clone()], "a"),
        (vec![new(&a), old(&b)], "b"),
        (vec![old(&b), old(&a)], "a"),
        (vec![a.clone(), new(&b)], "b"),
        (vec![a, new(&b), old(&c)], "c"),
    ] {
        let count = accelerations.len();
        let selection = select(&objects(&accelerations, &[], &[pod("web")]));
        assert_eq!(chosen(&selection), [("web", winner)]);
        assert_eq!(selection.problems.len(), count - 1, "one for each that lost");
        assert!(selection.problems.iter().all(|problem| problem.file != format!("{winner}.yaml")));
    }
}

#[test]
fn a_lost_pod_is_a_problem_of_the_object_that_lost_it() {
    let first = acceleration("first", json!({"podSelector": {}}));
    let second = acceleration("second", json!({"namespaceSelector": {}, "podSelector": {}}));
    let by_namespace = acceleration("third", json!({"namespaceSelector": {}}));
    let selection = select(&objects(&[second.clone(), first.clone()], &[], &[pod("web")]));
    assert_eq!(
        selection.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["second.yaml:5: spec.podSelector: MeshAcceleration second and MeshAcceleration first (first.yaml) both \
             select pod shop/web, which stays with first: the object with the oldest creationTimestamp wins, then the \
             first by name"]
    );
    assert_eq!(selection.problems[0].object.as_deref(), Some("MeshAcceleration second"));
    let selection = select(&objects(&[by_namespace, first], &[], &[pod("c"), pod("b"), pod("a")]));
    assert_eq!(selection.problems.len(), 1, "three pods are one mistake");
    assert_eq!(selection.problems[0].field.as_deref(), Some("spec.namespaceSelector"));
    assert!(selection.problems[0].message.contains("pod shop/a and 2 others, which stay with first"));
}

#[test]
fn objects_that_share_only_skipped_pods_do_not_clash() {
    let other = acceleration("other", json!({"podSelector": {}}));
    let selection = select(&objects(&[all(), other], &[], &[annotated("web", json!({}))]));
    assert_eq!(selection.problems, []);
    assert_eq!(selection.skipped[0].acceleration, "all");
}

#[test]
fn a_node_selector_selects_nothing_here_and_says_so() {
    let some = acceleration("some", json!({"podSelector": {}, "nodeSelector": {"disk": "ssd"}}));
    let selection = select(&objects(&[some], &[], &[pod("web")]));
    assert_eq!((selection.pods, selection.skipped), (vec![], vec![]));
    assert_eq!(selection.problems.len(), 1);
    let problem = selection.problems[0].to_string();
    assert!(problem.starts_with("some.yaml:5: spec.nodeSelector: selects nothing: standalone"), "{problem}");
}

#[test]
fn settings_are_the_objects_own_resolved_for_the_pod() {
    let plain = select(&objects(&[all()], &[], &[pod("web")]));
    assert_eq!(
        plain.pods[0].settings,
        Settings {
            observe: false,
            enabled: true,
            eager: false,
            node_local: false,
            any_pair: false,
            known_proxy: true,
            sidecar_ports: vec![4140, 4143, 15001, 15006],
            proxy_uids: vec![1337, 2102],
            loopback_sources: vec!["127.0.0.6".parse().unwrap(), "::6".parse().unwrap()],
            excluded_ports: vec![],
            max_bytes: 1_048_576,
            max_messages: 256,
        }
    );
    let spec = json!({
        "podSelector": {}, "mode": "Observe",
        "mesh": {"provider": "Custom", "sidecarPorts": [9, 8, 9], "proxyUid": 7, "loopbackSource": "::7"},
        "redirect": {"enabled": false, "scope": "NodeLocal", "promotion": "Eager", "excludedPorts": [22, 21, 22],
                     "limits": {"maxBytesInFlight": 4096, "maxMessagesInFlight": 1}},
    });
    let custom = select(&objects(&[acceleration("a", spec)], &[], &[pod("web")]));
    assert_eq!(
        custom.pods[0].settings,
        Settings {
            observe: true,
            enabled: false,
            eager: true,
            node_local: true,
            any_pair: false,
            known_proxy: false,
            sidecar_ports: vec![8, 9],
            proxy_uids: vec![7],
            loopback_sources: vec!["::7".parse().unwrap()],
            excluded_ports: vec![21, 22],
            max_bytes: 4096,
            max_messages: 1,
        }
    );
}

#[test]
fn a_selected_pod_knows_where_its_location_is_written() {
    let selection = select(&objects(&[all()], &[], &[pod("web")]));
    let problem = selection.pods[0].problem("there is no such file");
    assert_eq!(problem.to_string(), "pods.yaml:1: metadata.annotations[meshaccel.dev/netns]: there is no such file");
    assert_eq!(problem.object.as_deref(), Some("Pod shop/web"));
}
