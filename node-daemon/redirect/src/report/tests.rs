use std::sync::Arc;

use meshaccel_crds::MeshAccelerationSpec;
use meshaccel_model::{Located, NodeIdentity, Origin, PodName, Refused};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::*;
use crate::pods::SlotTally;
use crate::probe::Surroundings;

fn object(name: &str, node: &str, deleting: bool) -> Located<MeshAcceleration> {
    let spec = MeshAccelerationSpec {
        node_selector: [("pool".to_owned(), node.to_owned())].into(),
        pod_selector: Some(Default::default()),
        ..MeshAccelerationSpec::default()
    };
    let mut object = MeshAcceleration::new(name, spec);
    object.metadata.uid = Some(format!("uid-{name}"));
    object.metadata.generation = Some(3);
    object.metadata.deletion_timestamp = deleting.then_some(Time(Timestamp::UNIX_EPOCH));
    Located { object: Arc::new(object), origin: Arc::new(Origin::default()) }
}

fn pod(name: &str, acceleration: &str, state: PodState, promoted: u64) -> PodStatus {
    let pod = PodName { namespace: "shop".into(), name: name.into() };
    let sockets = SlotTally { recorded: promoted, paired: promoted, promoted };
    PodStatus { pod, acceleration: acceleration.into(), state, message: Some("why".into()), slot: None, sockets }
}

/// One object that names the node, one that names others, one that is being deleted.
fn objects() -> Objects {
    let node = NodeIdentity { name: "n".into(), uid: "u".into(), labels: [("pool".into(), "a".into())].into() };
    Objects {
        node: Some(Arc::new(node)),
        accelerations: vec![object("here", "a", false), object("there", "b", false), object("going", "a", true)],
        ..Objects::default()
    }
}

fn failed(message: &str) -> Failure {
    Failure { reason: reasons::KERNEL_UNSUPPORTED, message: message.to_owned() }
}

fn whole_report(seen: &Seen<'_>) -> NodeAccelerationStatus {
    let mut into = NodeAccelerationStatus::default();
    report(seen, &mut into);
    into
}

fn compose_shares(objects: &Objects, pods: Vec<PodStatus>, failure: Option<&str>, leaving: usize) -> Vec<Share> {
    let status = Status { pods, ..Status::default() };
    let (selection, failure) = (Selection::default(), failure.map(failed));
    let failure = failure.as_ref();
    let seen = Seen { objects, selection: &selection, status: &status, node: None, failure, pinned: false };
    shares(&seen, true, |name| if name == "going" { leaving } else { 0 }, |_| 7)
}

fn phases(shares: &[Share]) -> Vec<(&str, Phase, &str)> {
    shares.iter().map(|share| (share.name.as_str(), share.phase, share.message.as_str())).collect()
}

#[test]
fn each_object_is_in_force_or_released() {
    let pods = vec![pod("a", "here", PodState::Accelerated, 6), pod("b", "here", PodState::Skipped, 0)];
    let found = compose_shares(&objects(), pods, None, 2);
    assert_eq!(
        phases(&found),
        [
            ("going", Phase::Releasing, "the connections of 2 pods are going back to TCP"),
            ("here", Phase::Programmed, ""),
            ("there", Phase::Released, ""),
        ]
    );
    let here = &found[1];
    assert_eq!((here.pods, here.skipped_pods, here.connections, here.redirected_bytes), (1, 1, 3, 7));
    assert_eq!((here.uid.as_str(), here.observed_generation), ("uid-here", 3));
    assert_eq!(phases(&compose_shares(&objects(), vec![], None, 0))[0], ("going", Phase::Released, ""));
}

#[test]
fn the_last_release_takes_the_programs_with_it() {
    let mut objects = objects();
    objects.accelerations.remove(0);
    let found = compose_shares(&objects, vec![], None, 0);
    assert_eq!(phases(&found)[0], ("going", Phase::Releasing, "the programs are being removed"));
    let found = compose_shares(&objects, vec![], Some("no memory"), 0);
    assert_eq!(phases(&found)[0], ("going", Phase::Releasing, "no memory"));
}

#[test]
fn what_is_wrong_is_said() {
    let wrong = vec![
        pod("a", "here", PodState::Unreachable, 0),
        pod("b", "here", PodState::Unreachable, 0),
        pod("c", "here", PodState::Expected, 0),
    ];
    let found = compose_shares(&objects(), wrong, None, 0);
    assert_eq!(phases(&found)[1], ("here", Phase::Degraded, "pod shop/a: why (and 1 more pods)"));
    // A pod that is being started is nothing wrong.
    let found = compose_shares(&objects(), vec![pod("c", "here", PodState::Expected, 0)], None, 0);
    assert_eq!(phases(&found)[1], ("here", Phase::Programmed, ""));
    let found = compose_shares(&objects(), vec![], Some("no BTF"), 0);
    assert_eq!(phases(&found)[1], ("here", Phase::Degraded, "no BTF"));
    let mut objects = objects();
    let message = "spec.new: unknown field".to_owned();
    objects.refused.push(Refused { name: "newer".into(), uid: "x".into(), generation: 1, message });
    let found = compose_shares(&objects, vec![], None, 0);
    assert_eq!(phases(&found)[2], ("newer", Phase::Degraded, "spec.new: unknown field"));
}

#[test]
fn both_objects_are_told_of_a_conflict() {
    let shared = [SharedPods { winner: "old".into(), loser: "new".into(), pods: 2, example: "shop/a".into() }];
    let of = |name: &str| conflicts(&shared, &MeshAcceleration::new(name, MeshAccelerationSpec::default()));
    let (old, new) = (of("old"), of("new"));
    assert_eq!((old[0].with.as_str(), old[0].wins, old[0].pods), ("new", true, 2));
    assert_eq!((new[0].with.as_str(), new[0].wins, new[0].example.as_str()), ("old", false, "shop/a"));
    assert!(of("other").is_empty());
}

#[test]
fn the_conditions_say_what_the_node_is_about() {
    let (objects, selection, status) = (objects(), Selection::default(), Status::default());
    let report = |failure: Option<&Failure>| {
        let (objects, selection, status) = (&objects, &selection, &status);
        let report = whole_report(&Seen { objects, selection, status, node: None, failure, pinned: false });
        report.conditions.into_iter().map(|c| (c.type_, c.status, c.reason)).collect::<Vec<_>>()
    };
    let expect = |status: &str, reason: &str| ["Ready", status, reason].map(str::to_owned).into();
    assert_eq!(report(None), [expect("True", "Idle")]);
    assert_eq!(report(Some(&failed("no BTF"))), [expect("False", "KernelUnsupported")]);
}

/// A node on which nothing runs, and nothing can: the sentence is in its condition, in what it lacks, and in each object's share.
#[test]
fn what_is_not_supported_is_told_in_one_sentence() {
    let (objects, selection) = (objects(), Selection::default());
    let around = Surroundings { capabilities: u64::MAX, ..Surroundings::default() };
    let cause = Unsupported::explain(&Error::NoCgroup2 { at: "/host/cgroup".into() }, &around);
    let status = Status { unsupported: Some(cause.clone()), ..Status::default() };
    let failure = Failure::from(cause.clone());
    let report = |pinned| {
        let (objects, selection, status, failure) = (&objects, &selection, &status, Some(&failure));
        whole_report(&Seen { objects, selection, status, node: None, failure, pinned })
    };
    let told = report(false);
    let ready = &told.conditions[0];
    assert_eq!((ready.reason.as_str(), &ready.message), ("MountMissing", &cause.to_string()));
    assert_eq!((told.lacks.len(), &told.lacks[0].what), (1, &cause.missing()));
    assert_eq!(told.programs, [""; 0]);
    assert_eq!(phases(&told.accelerations)[1], ("here", Phase::Degraded, cause.to_string().as_str()));
    assert_eq!(phases(&told.accelerations)[0], ("going", Phase::Released, ""));
    // What an earlier daemon has left is there all the same, and holds the object that is being deleted.
    let told = report(true);
    assert_eq!(phases(&told.accelerations)[0], ("going", Phase::Releasing, cause.to_string().as_str()));
    assert!(!told.programs.is_empty());
}
