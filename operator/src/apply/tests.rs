use std::cell::RefCell;

use meshaccel_crds::MeshAccelerationStatus;
use meshaccel_mock::{Answer, Asked, Server};
use serde_json::{Value, json};

use super::*;
use crate::observe::Cache;
use crate::plan::fixtures::settings;
use crate::plan::{Handle, Priority, StatusWrite};

struct Run {
    applier: Applier,
    server: Server,
    outcomes: RefCell<Vec<Outcome>>,
}

impl Run {
    /// An operator that leads (or does not), and an API server that answers so.
    fn new(leads: bool, answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let (client, server) = Server::start(answer);
        let (hand, term) = Leadership::new();
        if leads {
            hand.send_replace(Some(Instant::now() + Duration::from_secs(60)));
        }
        let metrics = Metrics::new(Cache::default(), term.clone());
        let applier = Applier::new(client, term, metrics, "me".into());
        Self { applier, server, outcomes: RefCell::default() }
    }

    async fn carry_out(&mut self, actions: Vec<Action>) -> Option<Duration> {
        self.applier.carry_out(actions, &settings(), &|outcome| self.outcomes.borrow_mut().push(outcome)).await
    }

    fn blocked(&self) -> Option<String> {
        let outcomes = self.outcomes.borrow();
        let told = outcomes.iter().rev().find_map(|outcome| match outcome {
            Outcome::Blocked(why) => Some(why.clone()),
            _ => None,
        });
        told.expect("whether it is blocked is always told")
    }
}

fn status(priority: Priority) -> Action {
    Action::WriteStatus(StatusWrite {
        name: "x".into(),
        uid: "u".into(),
        status: MeshAccelerationStatus { observed_generation: Some(3), ..MeshAccelerationStatus::default() },
        events: Vec::new(),
        priority,
    })
}

fn object(version: &str) -> Value {
    json!({"apiVersion": "meshaccel.dev/v1alpha1", "kind": "MeshAcceleration",
           "metadata": {"name": "x", "uid": "u", "resourceVersion": version}, "spec": {}})
}

fn daemon_set() -> Action {
    let set: DaemonSet =
        serde_json::from_value(json!({"metadata": {"name": "meshaccel-node", "namespace": "meshaccel-system"}}))
            .expect("a DaemonSet");
    Action::ApplyDaemonSet(Box::new(crate::plan::daemon::Owned::new(&set)))
}

#[tokio::test]
async fn a_status_is_written_to_the_object_it_was_made_for() {
    let mut run = Run::new(true, |_| Answer::Object(object("7")));
    assert_eq!(run.carry_out(vec![status(Priority::Transition)]).await, None);
    let asked = run.server.asked();
    let [write] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(write.method, "PATCH");
    assert_eq!(write.path, "/apis/meshaccel.dev/v1alpha1/meshaccelerations/x/status");
    assert!(write.query.contains("force=true") && write.query.contains("fieldManager=meshaccel-operator"), "{write:?}");
    assert_eq!(write.body["metadata"], json!({"name": "x", "uid": "u"}));
    assert_eq!(write.body["status"]["observedGeneration"], 3);
    let outcomes = run.outcomes.borrow();
    let written = outcomes.iter().find_map(|outcome| match outcome {
        Outcome::Written(object) => object.metadata.resource_version.clone(),
        _ => None,
    });
    assert_eq!(written.as_deref(), Some("7"));
}

#[tokio::test]
async fn who_does_not_lead_writes_nothing() {
    let mut run = Run::new(false, |_| Answer::Object(object("7")));
    let handle = Handle { name: "x".into(), uid: "u".into(), version: "1".into(), finalizers: Vec::new() };
    run.carry_out(vec![status(Priority::Transition), Action::AddFinalizer(handle), daemon_set()]).await;
    assert_eq!(run.server.asked(), []);
    assert_eq!(run.blocked(), None);
}

/// Somebody has changed the object meanwhile: the next plan knows it, and nobody is told.
#[tokio::test]
async fn a_conflict_is_tried_again_in_silence() {
    let mut run = Run::new(true, |_| Answer::Refused(409, "Conflict", "the object has been modified"));
    let again = run.carry_out(vec![status(Priority::Transition)]).await;
    assert!(again.is_some_and(|again| again <= Duration::from_secs(1)), "{again:?}");
    assert_eq!(run.blocked(), None);
    // Not before its time.
    run.carry_out(vec![status(Priority::Transition)]).await;
    assert_eq!(run.server.asked().len(), 1);
}

#[tokio::test]
async fn what_the_cluster_forbids_to_the_daemon_is_told_in_one_sentence() {
    let refuse = "admission webhook denied the request: no capabilities here";
    let mut run = Run::new(true, move |_| Answer::Refused(403, "Forbidden", refuse));
    let again = run.carry_out(vec![daemon_set()]).await;
    assert!(again.is_some());
    let why = run.blocked().expect("it blocks");
    assert!(why.contains("DaemonSet") && why.contains("no capabilities here"), "{why}");
    // It is not wanted any more: nothing stands in the way.
    run.carry_out(Vec::new()).await;
    assert_eq!(run.blocked(), None);
}

/// An API server that does not answer is no refusal: it may be busy.
#[tokio::test]
async fn silence_does_not_block() {
    let mut run = Run::new(true, |_| Answer::Silence);
    let began = Instant::now();
    let again = run.carry_out(vec![daemon_set()]).await;
    assert!(again.is_some() && began.elapsed() >= ANSWER, "{again:?} after {:?}", began.elapsed());
    assert_eq!(run.blocked(), None);
}

#[tokio::test]
async fn an_answer_to_the_daemon_set_is_known_at_once() {
    let written =
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "meshaccel-node", "generation": 4}});
    let mut run = Run::new(true, move |_| Answer::Object(written.clone()));
    run.carry_out(vec![daemon_set()]).await;
    let outcomes = run.outcomes.borrow();
    let generation = outcomes.iter().find_map(|outcome| match outcome {
        Outcome::DaemonSet(set) => set.as_ref()?.metadata.generation,
        _ => None,
    });
    assert_eq!(generation, Some(4));
}

#[tokio::test]
async fn counts_wait_their_turn() {
    let mut run = Run::new(true, |_| Answer::Object(object("7")));
    run.carry_out(vec![status(Priority::Counts)]).await;
    let wait = run.carry_out(vec![status(Priority::Counts)]).await;
    assert!(wait.is_some_and(|wait| wait > Duration::from_secs(5)), "{wait:?}");
    assert_eq!(run.server.asked().len(), 1);
    // What people wait for does not.
    run.carry_out(vec![status(Priority::Transition)]).await;
    assert_eq!(run.server.asked().len(), 2);
}
