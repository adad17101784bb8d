use std::net::Ipv4Addr;

use super::*;

const HERE: Here<'_> = Here { node: "here", zone: Some("a") };

/// The one of that number, ready, on a node.
fn ready(number: u8, node: &str) -> Endpoint {
    Endpoint {
        address: Ipv4Addr::new(10, 1, 0, number).into(),
        port: 80,
        ready: true,
        serving: true,
        terminating: false,
        node: Some(node.to_owned()),
        for_zones: Vec::new(),
        for_nodes: Vec::new(),
    }
}

fn terminating(number: u8, node: &str) -> Endpoint {
    Endpoint { ready: false, terminating: true, ..ready(number, node) }
}

fn gone(number: u8, node: &str) -> Endpoint {
    Endpoint { serving: false, ..terminating(number, node) }
}

fn zoned(number: u8, zones: &[&str]) -> Endpoint {
    Endpoint { for_zones: zones.iter().map(ToString::to_string).collect(), ..ready(number, "there") }
}

fn for_nodes(number: u8, nodes: &[&str]) -> Endpoint {
    Endpoint { for_nodes: nodes.iter().map(ToString::to_string).collect(), ..zoned(number, &["a"]) }
}

/// The numbers of those among which it is chosen.
fn among(endpoints: &[Endpoint], policy: Policy, here: Here<'_>) -> Vec<u8> {
    match choose(endpoints, policy, here) {
        Chosen::Among(chosen) => chosen
            .iter()
            .map(|endpoint| match endpoint.address {
                IpAddr::V4(v4) => v4.octets()[3],
                IpAddr::V6(_) => unreachable!("the tests' are IPv4"),
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn ready_ones_are_chosen_wherever_they_are() {
    let endpoints = [ready(1, "here"), ready(2, "there"), terminating(3, "here"), gone(4, "here")];
    assert_eq!(among(&endpoints, Policy::Cluster, HERE), [1, 2]);
}

#[test]
fn terminating_ones_only_where_none_is_ready_anywhere() {
    assert_eq!(
        among(&[terminating(1, "here"), terminating(2, "there"), gone(3, "here")], Policy::Cluster, HERE),
        [1, 2]
    );
    // Their hints do not count then.
    let hinted = Endpoint { for_zones: vec!["b".to_owned()], ..terminating(1, "there") };
    assert_eq!(among(&[hinted], Policy::Cluster, HERE), [1]);
}

#[test]
fn local_means_this_node_or_nothing() {
    assert_eq!(among(&[ready(1, "here"), ready(2, "there"), terminating(3, "here")], Policy::Local, HERE), [1]);
    assert_eq!(among(&[ready(1, "there"), terminating(2, "here")], Policy::Local, HERE), [2]);
    assert_eq!(choose(&[ready(1, "there"), gone(2, "here")], Policy::Local, HERE), Chosen::Drop);
    assert_eq!(choose(&[terminating(1, "there")], Policy::Local, HERE), Chosen::Drop);
    let homeless = Endpoint { node: None, ..ready(1, "") };
    assert_eq!(choose(&[homeless], Policy::Local, HERE), Chosen::Drop);
}

#[test]
fn nothing_at_all_is_refused() {
    for policy in [Policy::Cluster, Policy::Local] {
        assert_eq!(choose(&[], policy, HERE), Chosen::Refuse);
        assert_eq!(choose(&[gone(1, "here")], policy, HERE), Chosen::Refuse);
    }
}

#[test]
fn hints_of_zones_count_if_every_ready_one_has_some() {
    assert_eq!(among(&[zoned(1, &["a"]), zoned(2, &["b"]), zoned(3, &["a", "b"])], Policy::Cluster, HERE), [1, 3]);
    assert_eq!(among(&[zoned(1, &["a"]), zoned(2, &[])], Policy::Cluster, HERE), [1, 2], "one has none");
    assert_eq!(among(&[zoned(1, &["b"]), zoned(2, &["c"])], Policy::Cluster, HERE), [1, 2], "none is for here");
    let nowhere = Here { zone: None, ..HERE };
    assert_eq!(among(&[zoned(1, &["a"]), zoned(2, &["b"])], Policy::Cluster, nowhere), [1, 2], "a node without a zone");
    // One that is not ready neither needs hints nor has them counted.
    assert_eq!(among(&[zoned(1, &["a"]), zoned(2, &["b"]), terminating(3, "here")], Policy::Cluster, HERE), [1]);
}

#[test]
fn hints_of_nodes_come_before_those_of_zones() {
    assert_eq!(among(&[for_nodes(1, &["here"]), for_nodes(2, &["there"])], Policy::Cluster, HERE), [1]);
    assert_eq!(among(&[for_nodes(1, &["there"]), zoned(2, &["b"])], Policy::Cluster, HERE), [1], "then by zone");
    assert_eq!(among(&[for_nodes(1, &["there"]), for_nodes(2, &["there"])], Policy::Cluster, HERE), [1, 2]);
}
