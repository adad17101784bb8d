use proptest::prelude::*;

use super::*;

fn requirement(key: &str, operator: Operator, values: &[&str]) -> LabelSelectorRequirement {
    LabelSelectorRequirement {
        key: key.to_owned(),
        operator,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn an_empty_selector_chooses_everything() {
    assert!(LabelSelector::default().matches(&labels(&[])));
    assert!(LabelSelector::default().matches(&labels(&[("a", "b")])));
}

#[test]
fn all_parts_of_a_selector_must_hold() {
    let selector = LabelSelector {
        match_labels: labels(&[("app", "web")]),
        match_expressions: vec![
            requirement("tier", Operator::In, &["front", "back"]),
            requirement("off", Operator::DoesNotExist, &[]),
        ],
    };
    assert!(selector.matches(&labels(&[("app", "web"), ("tier", "back"), ("x", "y")])));
    assert!(!selector.matches(&labels(&[("app", "db"), ("tier", "back")])));
    assert!(!selector.matches(&labels(&[("app", "web"), ("tier", "middle")])));
    assert!(!selector.matches(&labels(&[("app", "web")])));
    assert!(!selector.matches(&labels(&[("app", "web"), ("tier", "back"), ("off", "")])));
}

#[test]
fn each_operator_does_what_kubernetes_says() {
    for (operator, values, absent, same, other) in [
        (Operator::In, &["v"][..], false, true, false),
        (Operator::NotIn, &["v"][..], true, false, true),
        (Operator::Exists, &[][..], false, true, true),
        (Operator::DoesNotExist, &[][..], true, false, false),
    ] {
        let requirement = requirement("k", operator, values);
        assert_eq!(requirement.holds(&labels(&[])), absent, "{operator:?} of an absent label");
        assert_eq!(requirement.holds(&labels(&[("k", "v")])), same, "{operator:?} of the value");
        assert_eq!(requirement.holds(&labels(&[("k", "w")])), other, "{operator:?} of another value");
    }
}

proptest! {
    #[test]
    fn operators_come_in_opposites(
        labels in proptest::collection::btree_map("[a-c]", "[a-c]", 0..4),
        key in "[a-c]",
        values in proptest::collection::vec("[a-c]", 1..3),
    ) {
        let holds = |operator| {
            LabelSelectorRequirement { key: key.clone(), operator, values: values.clone() }.holds(&labels)
        };
        prop_assert_ne!(holds(Operator::In), holds(Operator::NotIn));
        prop_assert_ne!(holds(Operator::Exists), holds(Operator::DoesNotExist));
        prop_assert!(!holds(Operator::In) || holds(Operator::Exists));
    }

    #[test]
    fn a_match_label_is_an_in_with_one_value(
        labels in proptest::collection::btree_map("[a-c]", "[a-c]", 0..4),
        wanted in proptest::collection::btree_map("[a-c]", "[a-c]", 0..3),
    ) {
        let by_expressions = LabelSelector {
            match_labels: BTreeMap::new(),
            match_expressions: wanted.iter().map(|(key, value)| requirement(key, Operator::In, &[value])).collect(),
        };
        let by_labels = LabelSelector { match_labels: wanted, match_expressions: Vec::new() };
        prop_assert_eq!(by_labels.matches(&labels), by_expressions.matches(&labels));
    }
}
