use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use meshaccel_crds::conditions::acceleration as c;
use meshaccel_crds::names::FINALIZER;
use meshaccel_crds::{Mode, Phase, Share};

use super::fixtures::{Cluster, conflict, labels, share};
use super::*;

mod laws;
mod story;

#[test]
fn nothing_is_planned_before_everything_is_listed() {
    let mut cluster = Cluster::with_nodes(&["a"]);
    cluster.object("shop");
    for kind in observed::Kind::ALL {
        cluster.observed.synced = observed::Kind::ALL.into_iter().filter(|other| *other != kind).collect();
        assert_eq!(cluster.plan(), [], "{kind:?}");
    }
}

#[test]
fn a_new_object_is_taken_into_care_before_it_is_accepted() {
    let mut cluster = Cluster::with_nodes(&["a"]);
    cluster.object("shop").finalizers = vec!["others/own".into()];
    let actions = cluster.plan();
    let handles: Vec<&Handle> = actions
        .iter()
        .filter_map(|action| match action {
            Action::AddFinalizer(handle) => Some(handle),
            _ => None,
        })
        .collect();
    let [handle] = handles[..] else { panic!("{actions:?}") };
    assert_eq!(handle.finalizers, ["others/own", FINALIZER]);
    assert_eq!((handle.version.as_str(), handle.uid.as_str()), ("1", "uid-of-shop"));
    assert_eq!(cluster.writes(), [], "no status yet");
}

#[test]
fn a_node_that_has_not_reported_is_waited_for_by_name() {
    let mut cluster = Cluster::with_nodes(&["a", "b"]);
    cluster.object("shop");
    cluster.report("a", vec![share("shop", 1, Phase::Programmed)]);
    assert_eq!(cluster.says("shop", c::ACCEPTED), "True Valid: Valid and in use");
    assert_eq!(
        cluster.says("shop", c::PROGRAMMED),
        "False Waiting: no daemon has reported from 1 of 2 nodes: b (kubectl -n meshaccel-system get pods -o wide)"
    );
    let status = cluster.status("shop");
    assert_eq!(status.nodes, NodeCounts { desired: 2, ready: 1, degraded: 0 });
    assert_eq!(status.observed_generation, Some(1));
}

#[test]
fn a_report_about_an_earlier_generation_does_not_count() {
    let mut cluster = Cluster::with_nodes(&["a"]);
    cluster.object("shop").generation = 2;
    cluster.report("a", vec![share("shop", 1, Phase::Programmed)]);
    assert_eq!(cluster.says("shop", c::PROGRAMMED), "False Waiting: 1 of 1 node does not yet run it as it is now: a");
    cluster.report("a", vec![share("shop", 2, Phase::Programmed)]);
    assert_eq!(cluster.says("shop", c::PROGRAMMED), "True Programmed: Runs on 1 node");
}

#[test]
fn another_object_of_the_same_name_is_another_object() {
    let mut cluster = Cluster::with_nodes(&["a"]);
    cluster.object("shop").uid = "new".into();
    cluster.report("a", vec![Share { pods: 3, ..share("shop", 1, Phase::Programmed) }]);
    assert_eq!(cluster.status("shop").pods, 0);
    assert!(cluster.says("shop", c::PROGRAMMED).starts_with("False Waiting"));
}

#[test]
fn degraded_nodes_are_named_with_one_of_their_reasons() {
    let mut cluster = Cluster::with_nodes(&["a", "b", "c"]);
    cluster.object("shop");
    cluster.report("a", vec![share("shop", 1, Phase::Programmed)]);
    for node in ["b", "c"] {
        cluster
            .report(node, vec![Share { message: format!("{node} is too old"), ..share("shop", 1, Phase::Degraded) }]);
    }
    let says = "2 of 3 nodes run it in part or not at all: b and c (b: b is too old)";
    assert_eq!(cluster.says("shop", c::DEGRADED), format!("True NodesDegraded: {says}"));
    assert_eq!(cluster.says("shop", c::PROGRAMMED), format!("False NodesDegraded: {says}"));
    assert_eq!(cluster.status("shop").nodes, NodeCounts { desired: 3, ready: 1, degraded: 2 });
}

#[test]
fn a_silent_node_degrades_the_object_and_does_not_hold_it() {
    let mut cluster = Cluster::with_nodes(&["a", "b"]);
    cluster.object("shop");
    cluster.report("a", vec![share("shop", 1, Phase::Programmed)]);
    cluster.pass(100).report("b", vec![share("shop", 1, Phase::Programmed)]);
    assert_eq!(cluster.says("shop", c::DEGRADED), "False AsExpected: Nothing is wrong");
    cluster.pass(60);
    assert_eq!(
        cluster.says("shop", c::DEGRADED),
        "True NodesSilent: 1 node has not reported for more than 150 s: a (kubectl -n meshaccel-system get pods -o wide)"
    );
    assert_eq!(cluster.says("shop", c::PROGRAMMED), "True Programmed: Runs on 1 node; 1 node has not reported lately");
    cluster.pass(100);
    assert!(cluster.says("shop", c::PROGRAMMED).starts_with("False Waiting: None of 2 nodes has reported lately"));
}

#[test]
fn what_a_node_had_that_is_gone_or_was_made_anew_is_not_counted() {
    let mut cluster = Cluster::with_nodes(&["a", "b"]);
    cluster.object("shop");
    for node in ["a", "b", "gone"] {
        cluster.report(node, vec![Share { pods: 1, connections: 2, ..share("shop", 1, Phase::Programmed) }]);
    }
    cluster.observed.nodes.get_mut("b").unwrap().uid = "another machine".into();
    let status = cluster.status("shop");
    assert_eq!((status.pods, status.connections, status.nodes.ready), (1, 2, 1));
}

#[test]
fn bytes_that_were_saved_stay_saved_when_their_node_goes() {
    let mut cluster = Cluster::with_nodes(&["a", "b"]);
    cluster.object("shop");
    for node in ["a", "b"] {
        cluster.report(node, vec![Share { redirected_bytes: 100, ..share("shop", 1, Phase::Programmed) }]);
    }
    cluster.carry_out();
    cluster.observed.nodes.remove("b");
    assert_eq!(cluster.status("shop").redirected_bytes, 200);
}

#[test]
fn an_object_that_names_no_node_says_how_to_look_for_them() {
    let mut cluster = Cluster::with_nodes(&["a"]);
    cluster.object("shop").spec.as_mut().unwrap().node_selector = labels(&[("disk", "ssd"), ("zone", "x")]);
    assert_eq!(
        cluster.says("shop", c::PROGRAMMED),
        "False NoNodes: None of 1 node has the labels of nodeSelector (kubectl get nodes -l disk=ssd,zone=x)"
    );
}

#[test]
fn observing_is_not_running() {
    let mut cluster = Cluster::with_nodes(&["a"]);
    cluster.object("shop").spec.as_mut().unwrap().mode = Mode::Observe;
    cluster.report("a", vec![share("shop", 1, Phase::Programmed)]);
    assert_eq!(cluster.says("shop", c::PROGRAMMED), "True Programmed: Observes on 1 node");
}

#[test]
fn both_objects_that_select_a_pod_say_so() {
    let mut cluster = Cluster::with_nodes(&["a", "b"]);
    cluster.object("new");
    cluster.object("old");
    for node in ["a", "b"] {
        let old = Share { conflicts: vec![conflict("new", true, 2)], ..share("old", 1, Phase::Programmed) };
        let new = Share { conflicts: vec![conflict("old", false, 2)], ..share("new", 1, Phase::Programmed) };
        cluster.report(node, vec![old, new]);
    }
    assert_eq!(
        cluster.says("old", c::ACCEPTED),
        "True Conflict: 4 pods that it selects are selected by MeshAcceleration new, too, for example shop/cart-1; this one \
         has them, for it is older, or first by name. Narrow podSelector or namespaceSelector of one of them"
    );
    assert!(
        cluster
            .says("new", c::ACCEPTED)
            .contains("MeshAcceleration old, too, for example shop/cart-1; that one has them")
    );
}

#[test]
fn an_object_that_cannot_be_used_says_why_and_gets_no_finalizer() {
    let mut cluster = Cluster::with_nodes(&["a"]);
    let object = cluster.object("shop");
    object.spec = Err("spec.mesh.proxyUid: only allowed with provider Custom".into());
    object.finalizers.clear();
    assert_eq!(
        cluster.says("shop", c::ACCEPTED),
        "False Invalid: spec.mesh.proxyUid: only allowed with provider Custom; correct it and apply it again"
    );
    assert!(!cluster.plan().iter().any(|action| matches!(action, Action::AddFinalizer(_) | Action::ApplyDaemonSet(_))));
}

#[test]
fn what_stops_the_daemon_stands_in_every_status() {
    let mut cluster = Cluster::with_nodes(&["a"]);
    cluster.object("shop");
    cluster.observed.cannot_deploy = Some("cannot patch DaemonSet x: y".into());
    assert_eq!(cluster.says("shop", c::DEGRADED), "True CannotDeploy: cannot patch DaemonSet x: y");
}

#[test]
fn times_move_only_with_the_status_of_their_condition() {
    let mut cluster = Cluster::with_nodes(&["a", "b"]);
    cluster.object("shop");
    cluster.carry_out();
    let of = |cluster: &mut Cluster, kind: &str| -> Condition {
        cluster.status("shop").conditions.into_iter().find(|condition| condition.type_ == kind).unwrap()
    };
    let before = (of(&mut cluster, c::ACCEPTED), of(&mut cluster, c::PROGRAMMED));
    cluster.pass(30).object("shop").generation = 2;
    cluster.carry_out();
    assert_eq!(of(&mut cluster, c::ACCEPTED).last_transition_time, before.0.last_transition_time);
    assert_eq!(of(&mut cluster, c::ACCEPTED).observed_generation, Some(2));
    for node in ["a", "b"] {
        cluster.report(node, vec![share("shop", 2, Phase::Programmed)]);
    }
    cluster.carry_out();
    assert_ne!(of(&mut cluster, c::PROGRAMMED).last_transition_time, before.1.last_transition_time);
    assert_eq!(of(&mut cluster, c::ACCEPTED).last_transition_time, before.0.last_transition_time);
}

#[test]
fn haste_is_for_what_people_wait_for() {
    let mut cluster = Cluster::with_nodes(&["a", "b"]);
    cluster.object("shop");
    cluster.report("a", vec![share("shop", 1, Phase::Programmed)]);
    let priority = |cluster: &mut Cluster| cluster.writes().first().map(|write| write.priority);
    assert_eq!(priority(&mut cluster), Some(Priority::Transition));
    cluster.carry_out();
    assert_eq!(priority(&mut cluster), None, "nothing changed, nothing is written");
    cluster.report("a", vec![Share { connections: 7, ..share("shop", 1, Phase::Programmed) }]);
    assert_eq!(priority(&mut cluster), Some(Priority::Counts));
    cluster.report("a", vec![share("shop", 1, Phase::Pending)]);
    assert_eq!(priority(&mut cluster), Some(Priority::Progress));
    for node in ["a", "b"] {
        cluster.report(node, vec![share("shop", 1, Phase::Programmed)]);
    }
    assert_eq!(priority(&mut cluster), Some(Priority::Transition));
}

#[test]
fn events_are_told_when_a_condition_says_something_else() {
    let mut cluster = Cluster::with_nodes(&["a"]);
    cluster.object("shop");
    let reasons = |cluster: &mut Cluster| -> Vec<&'static str> {
        let reasons = cluster.writes().iter().flat_map(|write| &write.events).map(|event| event.reason).collect();
        cluster.carry_out();
        reasons
    };
    assert_eq!(reasons(&mut cluster), ["Accepted"]);
    cluster.report("a", vec![share("shop", 1, Phase::Programmed)]);
    assert_eq!(reasons(&mut cluster), ["Programmed"]);
    cluster.report("a", vec![Share { pods: 9, ..share("shop", 1, Phase::Programmed) }]);
    assert_eq!(reasons(&mut cluster), [""; 0]);
    cluster.report("a", vec![share("shop", 1, Phase::Degraded)]);
    assert_eq!(reasons(&mut cluster), ["NodesDegraded"]);
    cluster.report("a", vec![share("shop", 1, Phase::Programmed)]);
    assert_eq!(reasons(&mut cluster), ["Programmed", "Recovered"]);
}

#[test]
fn a_restarted_operator_does_not_call_silent_nodes_well_before_it_knows() {
    let mut cluster = Cluster::with_nodes(&["a"]);
    cluster.object("shop");
    cluster.report("a", vec![share("shop", 1, Phase::Programmed)]);
    cluster.pass(200).carry_out();
    assert!(cluster.says("shop", c::DEGRADED).starts_with("True NodesSilent"));
    // Another process, that has just listed everything.
    cluster.report("a", vec![share("shop", 1, Phase::Programmed)]).old = true;
    assert!(cluster.says("shop", c::DEGRADED).starts_with("True NodesSilent"));
    cluster.report("a", vec![share("shop", 1, Phase::Programmed)]);
    assert_eq!(cluster.says("shop", c::DEGRADED), "False AsExpected: Nothing is wrong");
}

/// The node's own sentence is what `kubectl get ma -o wide` and `kubectl describe` show.
#[test]
fn the_sentence_of_a_node_that_cannot_reaches_the_status() {
    let mut cluster = Cluster::with_nodes(&["a", "b"]);
    cluster.object("shop");
    let sentence = "this kernel (5.10.0-46-amd64) lacks something that the programs need, which Linux has from 5.15 on: run a \
                    newer kernel";
    cluster.report("a", vec![share("shop", 1, Phase::Programmed)]);
    cluster.report("b", vec![Share { message: sentence.into(), ..share("shop", 1, Phase::Degraded) }]);
    for kind in [c::DEGRADED, c::PROGRAMMED] {
        assert!(
            cluster.says("shop", kind).ends_with(&format!(": b (b: {sentence})")),
            "{}",
            cluster.says("shop", kind)
        );
    }
}
