use meshaccel_crds::Phase;
use serde_json::json;

use super::super::fixtures::{Cluster, labels, share};
use super::*;

fn zone(name: &str) -> Labels {
    labels(&[("zone", name)])
}

fn select(cluster: &mut Cluster, object: &str, labels: Labels) {
    cluster.object(object).spec.as_mut().unwrap().node_selector = labels;
}

fn place(cluster: &Cluster) -> Placement {
    placement(&cluster.observed, cluster.now)
}

fn some(selectors: &[Labels], nodes: &[&str]) -> Placement {
    let nodes = nodes.iter().map(|&name| name.to_owned()).collect();
    Placement::Some { selectors: selectors.iter().cloned().collect(), nodes }
}

#[test]
fn the_daemon_is_where_objects_want_it_and_nowhere_else() {
    let mut cluster = Cluster::with_nodes(&["a", "b"]);
    assert_eq!(place(&cluster), Placement::Nowhere);
    select(&mut cluster, "one", zone("a"));
    select(&mut cluster, "same", zone("a"));
    select(&mut cluster, "two", zone("b"));
    assert_eq!(place(&cluster), some(&[zone("a"), zone("b")], &[]));
    select(&mut cluster, "all", Labels::new());
    assert_eq!(place(&cluster), Placement::Everywhere);
}

#[test]
fn an_object_that_is_being_deleted_keeps_its_daemons() {
    let mut cluster = Cluster::with_nodes(&["a"]);
    select(&mut cluster, "one", zone("a"));
    cluster.delete("one");
    assert_eq!(place(&cluster), some(&[zone("a")], &[]));
}

#[test]
fn an_edited_selector_keeps_the_earlier_term_until_its_nodes_have_released() {
    let mut cluster = Cluster::with_nodes(&["a1", "a2", "b1"]);
    select(&mut cluster, "one", zone("a"));
    cluster.carry_out();
    for node in ["a1", "a2"] {
        cluster.report(node, vec![share("one", 1, Phase::Programmed)]);
    }
    select(&mut cluster, "one", zone("b"));
    assert_eq!(place(&cluster), some(&[zone("a"), zone("b")], &[]));
    cluster.carry_out();
    cluster.report("a1", vec![share("one", 2, Phase::Released)]);
    assert_eq!(
        place(&cluster),
        some(&[zone("a"), zone("b")], &[]),
        "a2 still has it: no second change of the template"
    );
    cluster.report("a2", vec![share("one", 2, Phase::Released)]);
    assert_eq!(place(&cluster), some(&[zone("b")], &[]));
}

#[test]
fn a_node_whose_labels_changed_is_kept_by_name() {
    let mut cluster = Cluster::with_nodes(&["a1", "a2"]);
    select(&mut cluster, "one", zone("a"));
    cluster.carry_out();
    cluster.report("a1", vec![share("one", 1, Phase::Programmed)]);
    cluster.observed.nodes.get_mut("a1").unwrap().labels = zone("elsewhere");
    assert_eq!(place(&cluster), some(&[zone("a")], &["a1"]));
}

#[test]
fn after_the_last_object_a_live_node_with_programs_keeps_its_daemon_and_a_silent_one_does_not() {
    let mut cluster = Cluster::with_nodes(&["a"]);
    cluster.report("a", vec![share("gone", 1, Phase::Programmed)]);
    assert_eq!(place(&cluster), some(&[], &["a"]));
    cluster.pass(150);
    assert_eq!(place(&cluster), Placement::Nowhere);
}

#[test]
fn everywhere_stays_everywhere_until_the_others_have_released() {
    let mut cluster = Cluster::with_nodes(&["a", "b"]);
    cluster.object("one");
    cluster.carry_out();
    cluster.report("b", vec![share("one", 1, Phase::Programmed)]);
    select(&mut cluster, "one", zone("a"));
    assert_eq!(place(&cluster), Placement::Everywhere);
    cluster.report("b", vec![share("one", 2, Phase::Released)]);
    assert_eq!(place(&cluster), some(&[zone("a")], &[]));
}

#[test]
fn the_affinity_is_an_or_of_ands() {
    let two = labels(&[("disk", "ssd"), ("zone", "a")]);
    let affinity = affinity(&some(&[two], &["b"])).unwrap();
    assert_eq!(
        serde_json::to_value(affinity).unwrap(),
        json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [
                {"key": "disk", "operator": "In", "values": ["ssd"]},
                {"key": "zone", "operator": "In", "values": ["a"]},
            ]},
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]},
        ]}}})
    );
    assert_eq!(super::affinity(&Placement::Everywhere), None);
}
