//! Deletion, the DaemonSet and what is left behind, step by step.

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::SignedDuration;

use super::*;
use crate::plan::fixtures::settings;
use crate::plan::release::SURELY_LATER;
use crate::plan::reports::SURELY_GONE;

fn names(actions: &[Action]) -> Vec<&'static str> {
    actions
        .iter()
        .map(|action| match action {
            Action::AddFinalizer(_) => "add finalizer",
            Action::RemoveFinalizer(..) => "remove finalizer",
            Action::WriteStatus(_) => "status",
            Action::KeepAccess(_) => "access",
            Action::ApplyDaemonSet(_) => "daemon",
            Action::DeleteDaemonSet(_) => "no daemon",
            Action::RemoveAccess(_) => "no access",
            Action::DeleteReport { .. } => "no report",
        })
        .collect()
}

#[test]
fn from_the_first_object_to_the_last_trace() {
    let mut cluster = Cluster::with_nodes(&["a"]);
    assert_eq!(names(&cluster.carry_out()), ["no access"], "an empty cluster is kept empty");
    cluster.object("shop").finalizers.clear();
    assert_eq!(names(&cluster.carry_out()), ["access", "daemon", "add finalizer"]);
    assert_eq!(names(&cluster.carry_out()), ["access", "status"]);
    cluster.report("a", vec![share("shop", 1, Phase::Programmed)]);
    assert_eq!(names(&cluster.carry_out()), ["access", "status"]);
    assert_eq!(names(&cluster.carry_out()), ["access"], "at rest");

    cluster.delete("shop");
    assert_eq!(names(&cluster.carry_out()), ["access", "status"]);
    assert_eq!(
        cluster.says("shop", c::PROGRAMMED),
        "False Releasing: Waiting for 1 node to report that nothing of it is left: a"
    );
    assert_eq!(cluster.says("shop", c::ACCEPTED), "False Deleting: It is being deleted");
    cluster.report("a", vec![share("shop", 2, Phase::Releasing)]);
    assert_eq!(names(&cluster.carry_out()), ["access"]);
    cluster.report("a", vec![share("shop", 2, Phase::Released)]);
    assert_eq!(names(&cluster.carry_out()), ["access", "remove finalizer"]);
    assert_eq!(names(&cluster.carry_out()), ["no daemon"]);
    assert_eq!(names(&cluster.carry_out()), ["no access", "no report"]);
    assert_eq!(names(&cluster.carry_out()), ["no access"]);
    assert!(cluster.observed.reports.is_empty() && cluster.observed.daemon_set.is_none());
}

#[test]
fn the_finalizers_of_others_are_left_alone() {
    let mut cluster = Cluster::with_nodes(&[]);
    cluster.object("shop").finalizers = vec!["others/own".into(), FINALIZER.into()];
    cluster.delete("shop");
    let actions = cluster.plan();
    let Some(Action::RemoveFinalizer(handle, event)) =
        actions.iter().find(|a| matches!(a, Action::RemoveFinalizer(..)))
    else {
        panic!("{actions:?}")
    };
    assert_eq!(handle.finalizers, ["others/own"]);
    assert!(!event.warning);
    cluster.object("shop").finalizers = vec!["others/own".into()];
    assert_eq!(names(&cluster.plan()), ["access", "daemon"], "it is no longer this operator's matter");
}

#[test]
fn a_deletion_does_not_wait_for_nodes_that_are_gone_or_silent_and_says_so() {
    let mut cluster = Cluster::with_nodes(&["a", "b"]);
    cluster.object("shop");
    for node in ["a", "b", "gone"] {
        cluster.report(node, vec![share("shop", 1, Phase::Programmed)]);
    }
    cluster.delete("shop").pass(100);
    cluster.report("b", vec![share("shop", 2, Phase::Releasing)]);
    assert!(
        cluster
            .says("shop", c::PROGRAMMED)
            .contains("Waiting for 2 nodes to report that nothing of it is left: a and b")
    );
    cluster.pass(60);
    assert_eq!(
        cluster.says("shop", c::PROGRAMMED),
        "False Releasing: Waiting for 1 node to report that nothing of it is left: b; not waiting for a, silent for more than 150 s"
    );
    cluster.report("b", vec![share("shop", 2, Phase::Released)]);
    let actions = cluster.plan();
    let Some(Action::RemoveFinalizer(_, event)) = actions.iter().find(|a| matches!(a, Action::RemoveFinalizer(..)))
    else {
        panic!("{actions:?}")
    };
    assert_eq!(
        (event.warning, event.note.as_str()),
        (true, "Nothing of it is left on any live node; not known of 1 node: a")
    );
}

#[test]
fn an_old_release_does_not_count_for_a_deletion() {
    let mut cluster = Cluster::with_nodes(&["a"]);
    cluster.object("shop").generation = 5;
    cluster.report("a", vec![share("shop", 4, Phase::Released)]);
    cluster.delete("shop");
    assert!(
        cluster.says("shop", c::PROGRAMMED).contains("Waiting for 1 node"),
        "it may have come back with generation 5"
    );
    cluster.report("a", vec![share("shop", 6, Phase::Released)]);
    assert!(names(&cluster.plan()).contains(&"remove finalizer"));
}

#[test]
fn a_report_that_does_not_speak_of_it_counts_if_it_is_surely_later() {
    let mut cluster = Cluster::with_nodes(&["a"]);
    cluster.object("shop");
    cluster.delete("shop").pass(SURELY_LATER.as_secs() - 1).report("a", vec![]);
    assert!(!names(&cluster.plan()).contains(&"remove finalizer"));
    cluster.pass(1).report("a", vec![]);
    assert!(names(&cluster.plan()).contains(&"remove finalizer"));
}

#[test]
fn the_clocks_of_nodes_do_not_matter() {
    for wrong in [-7200, 7200] {
        let mut cluster = Cluster::with_nodes(&["a"]);
        cluster.object("shop");
        let wall = cluster.now.wall + SignedDuration::from_secs(wrong);
        let report = cluster.report("a", vec![share("shop", 1, Phase::Programmed)]);
        report.status.reported_at = Some(Time(wall));
        assert_eq!(cluster.says("shop", c::PROGRAMMED), "True Programmed: Runs on 1 node");
        cluster.delete("shop").pass(20);
        assert!(!names(&cluster.plan()).contains(&"remove finalizer"));
    }
}

#[test]
fn while_the_api_server_is_away_nobody_falls_silent() {
    let mut cluster = Cluster::with_nodes(&["a", "b"]);
    cluster.object("shop");
    cluster.report("b", vec![share("shop", 1, Phase::Programmed)]);
    cluster.pass(149).report("a", vec![share("shop", 1, Phase::Programmed)]);
    cluster.pass(1);
    let away = observed::Outage::Server;
    cluster.observed.outage_began(away, cluster.now.instant);
    cluster.pass(3600);
    assert!(cluster.says("shop", c::DEGRADED).contains("1 node has not reported for more than 150 s: b"));
    cluster.observed.outage_ended(away, cluster.now.instant);
    cluster.pass(149);
    assert!(
        cluster.says("shop", c::DEGRADED).contains("1 node has not reported for more than 150 s: b"),
        "b was silent before"
    );
    cluster.pass(1);
    assert!(cluster.says("shop", c::DEGRADED).contains("2 nodes have not reported"));
}

#[test]
fn a_foreign_daemon_set_of_the_same_name_is_not_deleted() {
    let mut cluster = Cluster::with_nodes(&["a"]);
    cluster.observed.daemon_set = Some(DaemonSet::default());
    assert!(!names(&cluster.plan()).contains(&"no daemon"));
}

#[test]
fn a_daemon_set_that_somebody_changed_is_applied_again() {
    let mut cluster = Cluster::with_nodes(&["a"]);
    cluster.object("shop");
    cluster.carry_out();
    assert!(!names(&cluster.plan()).contains(&"daemon"));
    cluster.observed.daemon_set.as_mut().unwrap().spec.template.spec.as_mut().unwrap().host_pid = None;
    assert!(names(&cluster.plan()).contains(&"daemon"));
}

#[test]
fn reports_that_nobody_writes_any_more_go_after_a_while() {
    let mut cluster = Cluster::with_nodes(&["a", "b"]);
    cluster.object("shop").spec.as_mut().unwrap().node_selector = labels(&[("zone", "a")]);
    for node in ["a", "b", "gone"] {
        cluster.report(node, vec![]);
    }
    cluster.pass(SURELY_GONE.as_secs() - 1);
    assert!(!names(&cluster.plan()).contains(&"no report"));
    cluster.pass(1);
    let gone: Vec<String> = cluster
        .plan()
        .into_iter()
        .filter_map(|action| match action {
            Action::DeleteReport { name, .. } => Some(name),
            _ => None,
        })
        .collect();
    assert_eq!(gone, ["b", "gone"], "a is silent, but wanted");
}

#[test]
fn the_rights_are_restricted_before_they_are_given_and_taken_before_reports_are_deleted() {
    let kinds: Vec<String> = access::access(&settings()).into_iter().map(|object| object.resource.kind).collect();
    assert_eq!(
        kinds,
        [
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ServiceAccount",
            "ClusterRole",
            "ClusterRoleBinding"
        ]
    );
    let mut cluster = Cluster::with_nodes(&["a"]);
    cluster.report("a", vec![]);
    let actions = cluster.plan();
    let [Action::RemoveAccess(objects), Action::DeleteReport { .. }] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(objects[0].resource.kind, "ClusterRoleBinding");
}
