use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use k8s_openapi::api::core::v1::Node;
use kube::runtime::watcher::watcher;
use kube::{Api, Client, ResourceExt};
use meshaccel_mock::{Answer, Server, list};
use serde_json::json;
use tokio::sync::mpsc;

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

/// Tells what it is told.
struct Told(mpsc::UnboundedSender<String>);

impl Told {
    fn tell(&self, what: impl Into<String>) {
        self.0.send(what.into()).expect("somebody listens");
    }
}

impl Follower<Node> for Told {
    fn take(&mut self, event: Event<Node>) {
        match event {
            Event::Init => self.tell("list"),
            Event::InitApply(node) | Event::Apply(node) => self.tell(node.name_any()),
            Event::InitDone => self.tell("whole"),
            Event::Delete(node) => self.tell(format!("no {}", node.name_any())),
        }
    }

    fn lost(&mut self) {
        self.tell("lost");
    }

    fn found(&mut self) {
        self.tell("found");
    }
}

struct Following {
    told: mpsc::UnboundedReceiver<String>,
    health: ApiHealth,
    relist: Arc<Relist>,
}

impl Following {
    fn start(client: &Client, pause: Duration) -> Self {
        let (sender, told) = mpsc::unbounded_channel();
        let (health, relist) = (ApiHealth::default(), Arc::new(Relist::default()));
        let (nodes, theirs) = (Api::<Node>::all(client.clone()), (health.clone(), Arc::clone(&relist)));
        tokio::spawn(async move {
            let open = || watcher(nodes.clone(), watcher::Config::default());
            follow("Node", &theirs.0, Backoff::new(pause, pause), &theirs.1, open, &mut Told(sender)).await;
        });
        Self { told, health, relist }
    }

    /// The next things that are told, in this order.
    async fn tells(&mut self, expected: &[&str]) {
        for expected in expected {
            let told = tokio::time::timeout(LIMIT, self.told.recv()).await.expect("in time").expect("it goes on");
            assert_eq!(told, *expected);
        }
    }
}

fn node(name: &str) -> serde_json::Value {
    json!({"metadata": {"name": name, "resourceVersion": "1"}})
}

#[tokio::test]
async fn an_outage_begins_once_ends_once_and_all_is_listed_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let (client, _server) = Server::start(move |asked| {
        if asked.is_watch() {
            let gone = json!({"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "metadata": {},
                              "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"}});
            return if counted.load(Ordering::Relaxed) == 1 { Answer::Events(vec![gone]) } else { Answer::Silence };
        }
        match counted.fetch_add(1, Ordering::Relaxed) {
            0 => list("Node", "1", &[node("a")]),
            1..=3 => Answer::Refused(503, "ServiceUnavailable", "not now"),
            _ => list("Node", "2", &[node("b")]),
        }
    });
    let mut following = Following::start(&client, Duration::from_millis(20));
    following.tells(&["list", "a", "whole", "lost"]).await;
    assert_eq!(following.health.seen(), 1, "what was seen once stays seen");
    // However often it was refused meanwhile.
    let mut told = Vec::new();
    while told.last().is_none_or(|last| last != "found") {
        told.push(tokio::time::timeout(LIMIT, following.told.recv()).await.expect("in time").expect("it goes on"));
    }
    assert_eq!(told.iter().filter(|one| *one == "lost").count(), 0, "{told:?}");
    assert!(told.ends_with(&["b".into(), "whole".into(), "found".into()]), "{told:?}");
    assert!(following.health.lost_for().is_none());
}

#[tokio::test]
async fn whoever_asks_for_it_has_all_listed_again_at_once() {
    let (client, _server) =
        Server::start(|asked| if asked.is_watch() { Answer::Silence } else { list("Node", "1", &[node("a")]) });
    // Longer than the test waits.
    let mut following = Following::start(&client, LIMIT * 4);
    following.tells(&["list", "a", "whole"]).await;
    following.relist.now();
    following.tells(&["list", "a", "whole"]).await;
    assert!(following.health.lost_for().is_none(), "that is no outage");
}
