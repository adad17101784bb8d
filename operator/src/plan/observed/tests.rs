use meshaccel_crds::NodeAccelerationStatus;

use super::*;

fn report(seen: Instant) -> Report {
    Report { uid: "u".into(), node_uid: None, status: NodeAccelerationStatus::default(), seen, heard: seen, old: false }
}

fn after(start: Instant, seconds: u64) -> Instant {
    start + Duration::from_secs(seconds)
}

#[test]
fn silence_begins_after_the_last_report_that_was_seen() {
    let (observed, start) = (Observed::default(), Instant::now());
    assert!(!observed.is_silent(&report(start), after(start, 149)));
    assert!(observed.is_silent(&report(start), after(start, 150)));
}

#[test]
fn time_in_which_nothing_could_be_seen_does_not_count() {
    let (mut observed, start) = (Observed::default(), Instant::now());
    observed.reports.insert("a".into(), report(start));
    observed.outage_began(Outage::Watch, after(start, 10));
    observed.outage_began(Outage::Server, after(start, 20));
    assert_eq!(observed.age(&observed.reports["a"], after(start, 1000)), Duration::from_secs(10));
    observed.outage_ended(Outage::Watch, after(start, 1000));
    assert!(observed.age(&observed.reports["a"], after(start, 2000)) < SILENT_AFTER, "one of two is not enough");
    observed.outage_ended(Outage::Server, after(start, 2000));
    assert_eq!(observed.age(&observed.reports["a"], after(start, 2001)), Duration::from_secs(1));
    assert_eq!(observed.reports["a"].seen, start, "when it was written is another matter");
}

#[test]
fn a_report_of_another_machine_of_the_same_name_is_not_of_this_node() {
    let mut observed = Observed::default();
    observed.nodes.insert("a".into(), Node { uid: "new".into(), ..Node::default() });
    let mut of = report(Instant::now());
    assert!(observed.node_of("a", &of).is_some(), "owned by nobody: go by the name");
    of.node_uid = Some("old".into());
    assert!(observed.node_of("a", &of).is_none());
    assert!(observed.node_of("b", &of).is_none());
}
