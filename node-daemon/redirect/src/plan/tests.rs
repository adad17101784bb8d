use super::*;
use proptest::prelude::*;

fn settings() -> Settings {
    Settings {
        observe: false,
        enabled: true,
        eager: false,
        node_local: false,
        any_pair: false,
        known_proxy: false,
        sidecar_ports: vec![15001, 15006],
        proxy_uids: vec![1337],
        loopback_sources: vec![],
        excluded_ports: vec![],
        max_bytes: 262_144,
        max_messages: 64,
    }
}

fn target(number: u64) -> Target {
    let pod = PodName { namespace: "shop".into(), name: format!("pod-{number}") };
    Target { pod, cookie: NetnsCookie(number), settings: settings(), keep_alive: KeepAlive::NONE }
}

/// Carries a plan out on plain data.
fn run(observed: &mut Observed, plan: &Plan) {
    for action in &plan.actions {
        match action {
            Action::SetPolicy { slot, policy, .. } => drop(observed.policies.insert(*slot, *policy)),
            Action::AddPod(pod) => observed.pods.push(pod.clone()),
            Action::Import(_) => {}
            Action::RemovePod(cookie) => observed.pods.retain(|pod| pod.cookie != *cookie),
            Action::Free(slot) => drop(observed.policies.remove(slot)),
        }
    }
}

/// Plans and carries out.
fn step(observed: &mut Observed, targets: &[Target]) {
    let plan = plan(targets, observed);
    run(observed, &plan);
}

fn settled(targets: &[Target]) -> Observed {
    let mut observed = Observed::default();
    run(&mut observed, &plan(targets, &Observed::default()));
    observed
}

#[test]
fn a_new_pod_gets_its_policy_before_the_programs_know_it() {
    let plan = plan(&[target(7)], &Observed::default());
    let [Action::SetPolicy { slot, policy, fresh: true }, Action::AddPod(pod), Action::Import(NetnsCookie(7))] =
        &plan.actions[..]
    else {
        panic!("{plan:?}")
    };
    assert_eq!((pod.slot, policy.netns_cookie, policy.flags), (*slot, 7, ENFORCE));
    assert_eq!(policy.proxy_uids, [1337, NO_UID]);
}

#[test]
fn a_vanished_pod_passes_then_retires_then_frees_its_slot() {
    let mut observed = settled(&[target(7)]);
    observed.tallies.insert(Slot(0), SlotTally { recorded: 2, paired: 2, promoted: 2 });
    let flags = |observed: &Observed| observed.policies[&Slot(0)].flags;

    step(&mut observed, &[]);
    assert!(observed.pods.is_empty());
    assert_eq!(flags(&observed), 0);
    assert!(plan(&[], &observed).actions.is_empty(), "nothing happens within the grace period");

    observed.passing_for.insert(Slot(0), GRACE);
    step(&mut observed, &[]);
    assert_eq!(flags(&observed), RETIRE);
    assert!(plan(&[], &observed).actions.is_empty(), "sockets are still in the SOCKHASH");

    observed.tallies.insert(Slot(0), SlotTally { recorded: 2, paired: 2, promoted: 0 });
    step(&mut observed, &[]);
    assert!(observed.policies.is_empty());
}

#[test]
fn a_pod_that_comes_back_is_enforced_again_at_once() {
    let mut observed = settled(&[target(7)]);
    step(&mut observed, &[]);
    observed.passing_for.insert(Slot(0), GRACE);
    step(&mut observed, &[]);
    step(&mut observed, &[target(7)]);
    assert_eq!(observed.policies[&Slot(0)].flags, ENFORCE);
}

#[test]
fn observing_pods_retire_what_an_earlier_policy_promoted() {
    let mut observe = target(7);
    observe.settings.observe = true;
    let mut observed = settled(&[target(7)]);
    step(&mut observed, std::slice::from_ref(&observe));
    assert_eq!(observed.policies[&Slot(0)].flags, OBSERVE);
    observed.passing_for.insert(Slot(0), GRACE);
    step(&mut observed, std::slice::from_ref(&observe));
    assert_eq!(observed.policies[&Slot(0)].flags, OBSERVE | RETIRE);
    assert!(plan(&[observe], &observed).actions.is_empty());
}

#[test]
fn pods_beyond_the_last_slot_are_named() {
    let targets: Vec<_> = (1..=u64::from(MAX_PODS) + 2).map(target).collect();
    assert_eq!(plan(&targets, &Observed::default()).no_slot.len(), 2);
}

proptest! {
    #[test]
    fn plans_converge(first in proptest::collection::btree_set(1u64..30, 0..20), then in proptest::collection::btree_set(1u64..30, 0..20)) {
        let (first, then): (Vec<_>, Vec<_>) = (first.into_iter().map(target).collect(), then.into_iter().map(target).collect());
        let mut observed = settled(&first);
        for _ in 0..3 {
            step(&mut observed, &then);
            for slot in observed.policies.keys() {
                observed.passing_for.insert(*slot, GRACE);
            }
        }
        prop_assert!(plan(&then, &observed).actions.is_empty());
        let cookies = |targets: &[Target]| targets.iter().map(|t| t.cookie).collect::<BTreeSet<_>>();
        prop_assert_eq!(observed.pods.iter().map(|p| p.cookie).collect::<BTreeSet<_>>(), cookies(&then));
        prop_assert_eq!(observed.policies.values().map(|p| NetnsCookie(p.netns_cookie)).collect::<BTreeSet<_>>(), cookies(&then));
        let slots: BTreeSet<_> = observed.pods.iter().map(|p| p.slot).collect();
        prop_assert_eq!(slots.len(), then.len(), "no two pods share a slot");
    }
}
