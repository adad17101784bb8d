use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use meshaccel_mock::{Answer, Asked, Server, list};
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn whoever_is_interrupted_again_and_again_still_learns_of_a_change() {
    let (changes, mut due) = (Notify::new(), None);
    changes.notify_one();
    let mut interrupted = 0;
    // Each attempt is dropped long before changes have come together.
    while tokio::time::timeout(TOGETHER / 10, until_quiet(&changes, &mut due)).await.is_err() {
        interrupted += 1;
        assert!(interrupted < 1000, "never told");
    }
    assert!(due.is_none() && changes.notified().now_or_never().is_none(), "told once");
}

const LIMIT: Duration = Duration::from_secs(20);

fn acceleration(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "meshaccel.dev/v1alpha1", "kind": "MeshAcceleration",
           "metadata": {"name": name, "uid": format!("uid-of-{name}"), "generation": 2}, "spec": spec})
}

fn named(name: &str) -> Value {
    json!({"metadata": {"name": name, "uid": format!("uid-of-{name}"), "labels": {"pool": "a"}}})
}

/// One page of what there is of the kind that is asked for.
fn page(asked: &Asked, accelerations: &[Value]) -> Answer {
    match asked.path.as_str() {
        "/apis/meshaccel.dev/v1alpha1/meshaccelerations" => list("MeshAcceleration", "1", accelerations),
        "/api/v1/namespaces" => list("Namespace", "1", &[named("shop")]),
        "/api/v1/nodes" => list("Node", "1", &[named("n")]),
        "/api/v1/pods" => {
            let mut pod = named("web");
            pod["metadata"]["namespace"] = json!("shop");
            pod["metadata"]["annotations"] = json!({"read": "1", "other": "2"});
            pod["spec"] = json!({"containers": [{"name": "app", "image": "x"}]});
            list("Pod", "1", &[pod])
        }
        other => panic!("asked for {other}"),
    }
}

fn watch(client: &Client) -> Cluster {
    Cluster::watch(client, "n", |annotation| annotation == "read")
}

async fn changed(cluster: &mut Cluster) -> Objects {
    tokio::time::timeout(LIMIT, cluster.changed()).await.expect("a change in time")
}

#[tokio::test]
async fn all_kinds_make_one_state() {
    let (client, server) = Server::start(|asked| {
        if asked.is_watch() { Answer::Silence } else { page(asked, &[acceleration("x", &json!({"podSelector": {}}))]) }
    });
    let mut cluster = watch(&client);
    assert!(cluster.objects().is_none(), "before anything was seen");
    let objects = changed(&mut cluster).await;
    let node = objects.node.expect("the node");
    assert_eq!((node.name.as_str(), node.uid.as_str(), node.labels["pool"].as_str()), ("n", "uid-of-n", "a"));
    assert_eq!((objects.accelerations.len(), objects.namespaces.len(), objects.pods.len()), (1, 1, 1));
    // Of a pod only what somebody reads is kept.
    let annotations = objects.pods[0].object.metadata.annotations.as_ref().expect("annotations");
    assert_eq!(annotations.keys().collect::<Vec<_>>(), ["read"]);
    assert!(cluster.api_health().lost_for().is_none());
    // Its own pods, and its own Node: what is another node's never comes over.
    let asked = server.asked();
    let of = |path: &str| asked.iter().find(|one| one.path == path).map(|one| one.query.clone()).unwrap_or_default();
    assert!(of("/api/v1/pods").contains("fieldSelector=spec.nodeName%3Dn"), "{asked:?}");
    assert!(of("/api/v1/nodes").contains("fieldSelector=metadata.name%3Dn"), "{asked:?}");
}

/// Half a state would release pods that are to stay.
#[tokio::test]
async fn nothing_is_told_while_a_kind_is_missing() {
    let allowed = Arc::new(AtomicBool::new(false));
    let may = Arc::clone(&allowed);
    let (client, _server) = Server::start(move |asked| match asked.path.as_str() {
        _ if asked.is_watch() => Answer::Silence,
        "/api/v1/pods" if !may.load(Ordering::Relaxed) => Answer::Refused(403, "Forbidden", "pods is forbidden"),
        _ => page(asked, &[]),
    });
    let mut cluster = watch(&client);
    assert!(tokio::time::timeout(Duration::from_millis(300), cluster.changed()).await.is_err());
    assert!(cluster.objects().is_none());
    let (_, why) = cluster.api_health().lost_for().expect("that it is forbidden");
    assert!(why.contains("Pod") && why.contains("pods is forbidden"), "{why}");
    allowed.store(true, Ordering::Relaxed);
    assert_eq!(changed(&mut cluster).await.pods.len(), 1);
    assert!(cluster.api_health().lost_for().is_none());
}

/// A version that went by what it half understands would obey half of it.
#[tokio::test]
async fn what_this_version_does_not_understand_is_refused_and_named() {
    let (client, _server) = Server::start(|asked| {
        let objects = [
            acceleration("good", &json!({"podSelector": {}})),
            acceleration("newer", &json!({"podSelector": {}, "later": 1})),
        ];
        if asked.is_watch() { Answer::Silence } else { page(asked, &objects) }
    });
    let objects = changed(&mut watch(&client)).await;
    assert_eq!(objects.accelerations.len(), 1);
    let [refused] = objects.refused.as_slice() else { panic!("{:?}", objects.refused) };
    assert_eq!((refused.name.as_str(), refused.uid.as_str(), refused.generation), ("newer", "uid-of-newer", 2));
    assert!(refused.message.contains("later"), "{}", refused.message);
    assert_eq!(objects.problems.len(), 1);
}

/// 410 Expired, a proxy that cuts connections, a store that was restored: all is read again, and what was known goes on meanwhile.
#[tokio::test]
async fn a_watch_that_breaks_reads_all_again() {
    let lists = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&lists);
    let (client, _server) = Server::start(move |asked| {
        if asked.path.ends_with("/meshaccelerations") {
            if asked.is_watch() {
                let gone = json!({"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "metadata": {},
                                  "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"}});
                return if counted.load(Ordering::Relaxed) < 2 { Answer::Events(vec![gone]) } else { Answer::Silence };
            }
            let before = counted.fetch_add(1, Ordering::Relaxed);
            let names = if before == 0 { vec!["x"] } else { vec!["x", "y"] };
            let objects: Vec<_> = names.iter().map(|name| acceleration(name, &json!({"podSelector": {}}))).collect();
            return page(asked, &objects);
        }
        if asked.is_watch() { Answer::Silence } else { page(asked, &[]) }
    });
    let mut cluster = watch(&client);
    let mut objects = changed(&mut cluster).await;
    while objects.accelerations.len() < 2 {
        objects = changed(&mut cluster).await;
    }
    assert_eq!(objects.accelerations[1].object.metadata.name.as_deref(), Some("y"));
}

#[tokio::test]
async fn a_change_is_followed() {
    let (client, _server) = Server::start(|asked| {
        let pods = asked.path == "/api/v1/pods";
        match (asked.is_watch(), pods) {
            (true, true) if asked.query.contains("resourceVersion=1") => {
                let mut pod = named("later");
                pod["metadata"]["resourceVersion"] = json!("2");
                pod["apiVersion"] = json!("v1");
                pod["kind"] = json!("Pod");
                Answer::Events(vec![json!({"type": "ADDED", "object": pod})])
            }
            (true, _) => Answer::Silence,
            (false, _) => page(asked, &[]),
        }
    });
    let mut cluster = watch(&client);
    let mut objects = changed(&mut cluster).await;
    while objects.pods.len() < 2 {
        objects = changed(&mut cluster).await;
    }
}
