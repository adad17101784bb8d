use serde_json::{Value, json};

use super::table::{accepted, misfits, nulls, object, refused};
use super::*;
use crate::MeshAccelerationSpec;

fn read(spec: &Value) -> MeshAcceleration {
    serde_json::from_value(object("a", spec)).expect("an object of the right types")
}

fn violations(spec: &Value) -> Vec<(String, String)> {
    validate(&read(spec)).into_iter().map(|Violation { field, message }| (field, message)).collect()
}

#[test]
fn valid_objects_are_accepted() {
    for spec in accepted() {
        assert_eq!(violations(&spec), [], "{spec}");
    }
}

#[test]
fn each_violation_names_its_field_and_says_what_is_wrong() {
    for refusal in refused() {
        assert_eq!(violations(&refusal.spec), [(refusal.field, refusal.says)], "{}", refusal.spec);
    }
}

#[test]
fn every_rule_is_broken_by_some_object_of_the_table() {
    let said: Vec<String> =
        refused().into_iter().map(|refusal| format!("{} {}", refusal.field, refusal.says)).collect();
    for rule in [rules::SPEC, rules::MESH, rules::REQUIREMENT].concat() {
        let end = format!("{} {}", rule.field_path.unwrap_or_default(), rule.message);
        assert!(said.iter().any(|said| said.ends_with(&end)), "nothing breaks {rule:?}");
    }
}

#[test]
fn violations_read_as_sentences_after_their_field() {
    let spec = json!({"mesh": {"sidecarPorts": [0]}, "redirect": {"limits": {"maxBytesInFlight": 1}}});
    let sentences: Vec<_> =
        violations(&spec).into_iter().map(|(field, message)| format!("{field}: {message}")).collect();
    assert_eq!(
        sentences,
        [
            "spec: write podSelector, namespaceSelector or both ({} chooses everything)",
            "spec.mesh.sidecarPorts: only allowed with provider Custom",
            "spec.mesh.sidecarPorts[0]: 0 is not within 1 to 65535",
            "spec.redirect.limits.maxBytesInFlight: 1 is not within 4096 to 16777216",
        ]
    );
}

#[test]
fn what_does_not_fit_the_types_is_refused() {
    for spec in misfits().into_iter().map(|misfit| misfit.spec).chain(nulls().into_iter().map(|(spec, _)| spec)) {
        serde_json::from_value::<MeshAccelerationSpec>(spec.clone()).expect_err(&spec.to_string());
    }
}

#[test]
fn everything_but_a_selector_has_a_default() {
    let spec = read(&json!({"podSelector": {}})).spec;
    assert_eq!(spec.mesh, Mesh::default());
    assert_eq!(spec.redirect, Redirect::default());
    assert!(spec.redirect.enabled);
    assert_eq!(spec.redirect.limits.max_bytes_in_flight, 1_048_576);
    assert_eq!(spec.redirect.limits.max_messages_in_flight, 256);
    let partly = read(&json!({"podSelector": {}, "redirect": {"limits": {"maxMessagesInFlight": 3}}})).spec.redirect;
    assert!(partly.enabled);
    assert_eq!(partly.limits.max_bytes_in_flight, 1_048_576);
}
