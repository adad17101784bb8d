//! What holds for every cluster.

use proptest::prelude::*;

use super::*;

const NODES: [&str; 4] = ["a1", "a2", "b1", "b2"];
const OBJECTS: [&str; 3] = ["one", "two", "three"];

#[derive(Clone, Debug)]
enum Step {
    Apply(usize, Option<&'static str>),
    Delete(usize),
    /// A daemon reports: of each object this phase.
    Report(usize, Vec<(usize, Phase)>),
    /// A daemon does what it is told, and says so.
    Obey(usize),
    RemoveNode(usize),
    Pass(u64),
    Plan,
}

fn phase() -> impl Strategy<Value = Phase> {
    prop_oneof![
        Just(Phase::Pending),
        Just(Phase::Programmed),
        Just(Phase::Degraded),
        Just(Phase::Releasing),
        Just(Phase::Released)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let zone = prop_oneof![Just(None), Just(Some("a")), Just(Some("b"))];
    prop_oneof![
        3 => (0..OBJECTS.len(), zone).prop_map(|(object, zone)| Step::Apply(object, zone)),
        2 => (0..OBJECTS.len()).prop_map(Step::Delete),
        3 => (0..NODES.len(), proptest::collection::vec((0..OBJECTS.len(), phase()), 0..3)).prop_map(|(n, s)| Step::Report(n, s)),
        4 => (0..NODES.len()).prop_map(Step::Obey),
        1 => (0..NODES.len()).prop_map(Step::RemoveNode),
        2 => (1u64..100).prop_map(Step::Pass),
        6 => Just(Step::Plan),
    ]
}

fn obey(cluster: &mut Cluster, node: &str) {
    let Some(has) = cluster.observed.nodes.get(node).map(|node| node.labels.clone()) else { return };
    let shares = cluster
        .observed
        .accelerations
        .values()
        .filter_map(|object| {
            let named = object.node_selector().is_some_and(|selector| observed::has_labels(&has, selector));
            let phase = if named && !object.is_deleting() { Phase::Programmed } else { Phase::Released };
            (named || object.is_deleting()).then(|| share(&object.name, object.generation, phase))
        })
        .collect();
    cluster.report(node, shares);
}

fn run(cluster: &mut Cluster, step: &Step) {
    match step {
        Step::Apply(index, zone) => {
            let known = cluster.observed.accelerations.contains_key(OBJECTS[*index]);
            let object = cluster.object(OBJECTS[*index]);
            if known {
                object.generation += 1;
            } else {
                object.finalizers.clear();
            }
            object.spec.as_mut().unwrap().node_selector =
                zone.map(|zone| labels(&[("zone", zone)])).unwrap_or_default();
        }
        Step::Delete(index) => {
            if cluster.observed.accelerations.contains_key(OBJECTS[*index]) {
                cluster.delete(OBJECTS[*index]);
            }
        }
        Step::Report(index, phases) => {
            let mut shares: Vec<Share> =
                phases.iter().map(|(object, phase)| share(OBJECTS[*object], 1, *phase)).collect();
            shares.dedup_by(|a, b| a.name == b.name);
            cluster.report(NODES[*index], shares);
        }
        Step::Obey(index) => obey(cluster, NODES[*index]),
        Step::RemoveNode(index) => drop(cluster.observed.nodes.remove(NODES[*index])),
        Step::Pass(seconds) => drop(cluster.pass(*seconds)),
        Step::Plan => drop(cluster.carry_out()),
    }
}

proptest! {
    /// Once a plan is carried out there is nothing to do, until something changes.
    #[test]
    fn plans_converge(steps in proptest::collection::vec(step(), 0..40)) {
        let mut cluster = Cluster::with_nodes(&NODES);
        for step in &steps {
            run(&mut cluster, step);
        }
        for _ in 0..6 {
            cluster.carry_out();
        }
        let left: Vec<Action> = cluster
            .plan()
            .into_iter()
            .filter(|action| !matches!(action, Action::KeepAccess(_) | Action::RemoveAccess(_)))
            .collect();
        prop_assert_eq!(left, vec![]);
    }

    /// No object goes while a live node last said that something of it is there; and the daemon stays on such nodes.
    #[test]
    fn nothing_is_forgotten_on_a_live_node(steps in proptest::collection::vec(step(), 0..60)) {
        let mut cluster = Cluster::with_nodes(&NODES);
        for step in &steps {
            run(&mut cluster, step);
            let actions = cluster.plan();
            for (name, report) in &cluster.observed.reports {
                let live = cluster.observed.node_of(name, report).is_some() && !cluster.observed.is_silent(report, cluster.now.instant);
                if !live {
                    continue;
                }
                for action in &actions {
                    if let Action::RemoveFinalizer(handle, _) = action {
                        let there = report.share(&handle.uid).is_some_and(|share| share.phase != Phase::Released);
                        prop_assert!(!there, "{} goes, {} has it", handle.name, name);
                    }
                }
                if report.has_programs() {
                    let placement = placement::placement(&cluster.observed, cluster.now);
                    prop_assert!(placement.includes(name, &cluster.observed.nodes[name].labels), "{} loses its daemon", name);
                }
            }
        }
    }

    /// When all is deleted and every live daemon obeys, nothing is left of anything.
    #[test]
    fn in_the_end_everything_goes(steps in proptest::collection::vec(step(), 0..40)) {
        let mut cluster = Cluster::with_nodes(&NODES);
        for step in &steps {
            run(&mut cluster, step);
        }
        for object in OBJECTS {
            if cluster.observed.accelerations.contains_key(object) {
                cluster.delete(object);
            }
        }
        for _ in 0..20 {
            cluster.pass(20);
            for node in NODES {
                if cluster.observed.daemon_set.is_some() {
                    obey(&mut cluster, node);
                }
            }
            cluster.carry_out();
        }
        prop_assert!(cluster.observed.accelerations.is_empty());
        prop_assert!(cluster.observed.daemon_set.is_none());
        prop_assert!(cluster.observed.reports.is_empty(), "{:?}", cluster.observed.reports);
    }

    /// Conditions are always three, in one order, with a sentence, and speak of the present generation.
    #[test]
    fn conditions_are_complete(steps in proptest::collection::vec(step(), 0..30)) {
        let mut cluster = Cluster::with_nodes(&NODES);
        for step in &steps {
            run(&mut cluster, step);
            for write in cluster.writes() {
                let generation = cluster.observed.accelerations[&write.name].generation;
                let kinds: Vec<&str> = write.status.conditions.iter().map(|condition| condition.type_.as_str()).collect();
                prop_assert_eq!(kinds, [c::ACCEPTED, c::PROGRAMMED, c::DEGRADED]);
                for condition in &write.status.conditions {
                    prop_assert!(!condition.message.is_empty() && !condition.reason.is_empty());
                    prop_assert_eq!(condition.observed_generation, Some(generation));
                }
                prop_assert_eq!(write.status.observed_generation, Some(generation));
                let nodes = &write.status.nodes;
                prop_assert!(nodes.ready + nodes.degraded <= nodes.desired);
            }
        }
    }
}
