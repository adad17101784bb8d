use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use meshaccel_crds::{Share, names};
use serde_json::{Value, json};

use super::*;

fn object(version: &str, spec: Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": names::API_VERSION, "kind": names::KIND,
        "metadata": {"name": "shop", "uid": "u", "resourceVersion": version, "generation": 3},
        "spec": spec,
        "status": {"pods": 4, "fromTheFuture": true},
    }))
    .unwrap()
}

fn report(at: &str, connections: i64) -> SomeReport {
    serde_json::from_value(json!({
        "metadata": {"name": "a", "uid": "r", "ownerReferences": [
            {"apiVersion": "v1", "kind": "Node", "name": "a", "uid": "n"},
        ]},
        "spec": {},
        "status": {"reportedAt": at, "programs": ["p"], "accelerations": [
            {"name": "shop", "uid": "u", "observedGeneration": 3, "phase": "Programmed", "connections": connections},
        ]},
    }))
    .unwrap()
}

#[test]
fn an_object_is_read_as_far_as_it_can_be() {
    let read = acceleration(object("1", json!({"podSelector": {}})), Instant::now());
    assert!(read.spec.is_ok());
    assert_eq!((read.generation, read.status.pods, read.is_deleting()), (3, 4, false));
    let read = acceleration(object("1", json!({"podSelector": {}, "oldField": 1})), Instant::now());
    assert!(read.spec.unwrap_err().contains("oldField"), "an unknown field does not stop the whole list");
    let read = acceleration(object("1", json!({})), Instant::now());
    assert_eq!(read.spec.unwrap_err(), "spec: write podSelector, namespaceSelector or both ({} chooses everything)");
}

#[test]
fn a_deletion_is_as_old_as_this_process_knows_it() {
    let (mut observed, start) = (Observed::default(), Instant::now());
    let mut deleted = object("2", json!({"podSelector": {}}));
    deleted.metadata.deletion_timestamp = Some(Time("1999-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(deleted.clone().take(&mut observed, true, start), Change::Matters);
    let later = start + Duration::from_secs(9);
    assert_eq!(deleted.take(&mut observed, true, later), Change::Nothing);
    assert_eq!(observed.accelerations["shop"].deletion_seen, Some(start));
}

#[test]
fn an_older_event_does_not_undo_what_a_write_told() {
    let (mut observed, now) = (Observed::default(), Instant::now());
    object("10", json!({"podSelector": {}})).take(&mut observed, false, now);
    assert_eq!(object("9", json!({"namespaceSelector": {}})).take(&mut observed, false, now), Change::Nothing);
    assert_eq!(observed.accelerations["shop"].version, "10");
    // Unless everything is read anew: the store may have gone back in time.
    assert_eq!(object("9", json!({"namespaceSelector": {}})).take(&mut observed, true, now), Change::Matters);
    assert_eq!(observed.accelerations["shop"].version, "9");
}

#[test]
fn a_report_is_as_old_as_this_process_knows_it() {
    let (mut observed, start) = (Observed::default(), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    assert_eq!(report("2026-01-01T00:00:00Z", 1).take(&mut observed, true, start), Change::Matters);
    assert!(observed.reports["a"].old, "by the clock");
    assert_eq!(report("2026-01-01T00:00:00Z", 1).take(&mut observed, true, at(50)), Change::Nothing);
    assert_eq!(observed.reports["a"].seen, start);
    report("2026-01-01T00:00:15Z", 1).take(&mut observed, false, at(60));
    assert_eq!((observed.reports["a"].seen, observed.reports["a"].old), (at(60), false));
    assert_eq!(observed.reports["a"].node_uid.as_deref(), Some("n"));
}

#[test]
fn counts_matter_less_than_phases() {
    let (mut observed, now) = (Observed::default(), Instant::now());
    report("2026-01-01T00:00:00Z", 1).take(&mut observed, false, now);
    assert_eq!(report("2026-01-01T00:00:15Z", 9).take(&mut observed, false, now), Change::Counts);
    let mut degraded = report("2026-01-01T00:00:30Z", 9);
    let shares: &mut Vec<Share> = &mut degraded.0.as_mut().unwrap().status.as_mut().unwrap().accelerations;
    shares[0].phase = Phase::Degraded;
    assert_eq!(degraded.take(&mut observed, false, now), Change::Matters);
}

#[test]
fn a_report_that_cannot_be_read_is_an_empty_one() {
    let mut observed = Observed::default();
    let strange: SomeReport = serde_json::from_value(json!({
        "metadata": {"name": "a", "uid": "r"}, "spec": {}, "status": {"programs": 7},
    }))
    .unwrap();
    strange.take(&mut observed, false, Instant::now());
    assert!(!observed.reports["a"].has_programs());
}

#[test]
fn of_a_node_only_labels_and_identity_matter() {
    let node = |annotation: &str, label: &str| -> SomeNode {
        serde_json::from_value(json!({"metadata": {
            "name": "a", "uid": "n", "annotations": {"x": annotation}, "labels": {"zone": label},
        }}))
        .unwrap()
    };
    let (mut observed, now) = (Observed::default(), Instant::now());
    assert_eq!(node("1", "a").take(&mut observed, true, now), Change::Matters);
    assert_eq!(node("2", "a").take(&mut observed, false, now), Change::Nothing);
    assert_eq!(node("2", "b").take(&mut observed, false, now), Change::Matters);
}
