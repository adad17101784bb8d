//! A table of objects as a person writes them, each with everything that is wrong with it.

use serde_json::{Value, json};

use super::*;

fn object(spec: Value) -> MeshAcceleration {
    let object = json!({
        "apiVersion": crate::names::API_VERSION, "kind": crate::names::KIND, "metadata": {"name": "a"}, "spec": spec,
    });
    serde_json::from_value(object).expect("the table holds objects of the right types")
}

/// A spec that is valid but for what is merged into it.
fn with(extra: Value) -> Value {
    let mut spec = json!({"podSelector": {}});
    let Value::Object(extra) = extra else { panic!("not an object: {extra}") };
    spec.as_object_mut().unwrap().extend(extra);
    spec
}

fn fields(spec: Value) -> Vec<String> {
    validate(&object(spec)).into_iter().map(|violation| violation.field).collect()
}

#[test]
fn valid_objects_are_accepted() {
    let expressions: Vec<_> = (0..16).map(|n| json!({"key": format!("k{n}"), "operator": "Exists"})).collect();
    let values: Vec<_> = (0..64).map(|n| format!("{n:063}")).collect();
    for spec in [
        json!({"podSelector": {}}),
        json!({"namespaceSelector": {}}),
        json!({"podSelector": {"matchLabels": {"a": "b"}}, "namespaceSelector": {}, "mode": "Observe"}),
        with(json!({"nodeSelector": {"a": "b"}})),
        with(json!({"mesh": {"provider": "Istio"}, "redirect": {"scope": "NodeLocal", "promotion": "Eager"}})),
        with(json!({"mesh": {"provider": "Istio", "sidecarPorts": []}})),
        with(json!({"mesh": {"provider": "Custom"}})),
        with(json!({"mesh": {"provider": "Custom", "sidecarPorts": [1, 2, 3, 4, 5, 6, 7, 65535]}})),
        with(json!({"mesh": {"provider": "Custom", "proxyUid": 0, "loopbackSource": "127.0.0.6"}})),
        with(json!({"mesh": {"provider": "Custom", "proxyUid": 4_294_967_294_u64, "loopbackSource": "::6"}})),
        with(json!({"redirect": {"enabled": false, "excludedPorts": (1..=16).collect::<Vec<_>>()}})),
        with(json!({"redirect": {"limits": {"maxBytesInFlight": 4096, "maxMessagesInFlight": 1}}})),
        with(json!({"redirect": {"limits": {"maxBytesInFlight": 16_777_216, "maxMessagesInFlight": 1024}}})),
        json!({"podSelector": {"matchExpressions": expressions}}),
        json!({"podSelector": {"matchExpressions": [{"key": "k".repeat(317), "operator": "In", "values": values}]}}),
    ] {
        assert_eq!(fields(spec.clone()), Vec::<String>::new(), "{spec}");
    }
}

#[test]
fn each_violation_names_its_field() {
    let expression = |expression: Value| json!({"namespaceSelector": {"matchExpressions": [expression]}});
    let first = |field: &str| format!("spec.namespaceSelector.matchExpressions[0].{field}");
    let many: Vec<_> = (0..17).map(|n| json!({"key": format!("k{n}"), "operator": "Exists"})).collect();
    for (spec, field) in [
        (json!({}), "spec".to_owned()),
        (
            with(
                json!({"mesh": {"provider": "Custom", "sidecarPorts": [80]}, "redirect": {"excludedPorts": [90, 80]}}),
            ),
            "spec.redirect.excludedPorts".to_owned(),
        ),
        (with(json!({"redirect": {"excludedPorts": [80, 90, 80]}})), "spec.redirect.excludedPorts[2]".to_owned()),
        (json!({"nodeSelector": {"a": "b"}, "mode": "Observe"}), "spec".to_owned()),
        (with(json!({"mesh": {"sidecarPorts": [80]}})), "spec.mesh.sidecarPorts".to_owned()),
        (with(json!({"mesh": {"provider": "Istio", "proxyUid": 1}})), "spec.mesh.proxyUid".to_owned()),
        (
            with(json!({"mesh": {"provider": "Linkerd", "loopbackSource": "::6"}})),
            "spec.mesh.loopbackSource".to_owned(),
        ),
        (with(json!({"mesh": {"provider": "Custom", "sidecarPorts": [7, 0]}})), "spec.mesh.sidecarPorts[1]".to_owned()),
        (
            with(json!({"mesh": {"provider": "Custom", "sidecarPorts": [1, 2, 3, 4, 5, 6, 7, 8, 9]}})),
            "spec.mesh.sidecarPorts".to_owned(),
        ),
        (with(json!({"mesh": {"provider": "Custom", "proxyUid": -1}})), "spec.mesh.proxyUid".to_owned()),
        (with(json!({"mesh": {"provider": "Custom", "proxyUid": 4_294_967_295_u64}})), "spec.mesh.proxyUid".to_owned()),
        (
            with(json!({"mesh": {"provider": "Custom", "loopbackSource": "localhost"}})),
            "spec.mesh.loopbackSource".to_owned(),
        ),
        (
            with(json!({"mesh": {"provider": "Custom", "loopbackSource": "::ffff:127.0.0.6"}})),
            "spec.mesh.loopbackSource".to_owned(),
        ),
        (
            with(json!({"mesh": {"provider": "Custom", "loopbackSource": "127.000.0.6"}})),
            "spec.mesh.loopbackSource".to_owned(),
        ),
        (with(json!({"redirect": {"excludedPorts": [0]}})), "spec.redirect.excludedPorts[0]".to_owned()),
        (
            with(json!({"redirect": {"excludedPorts": (1..=17).collect::<Vec<_>>()}})),
            "spec.redirect.excludedPorts".to_owned(),
        ),
        (
            with(json!({"redirect": {"limits": {"maxBytesInFlight": 4095}}})),
            "spec.redirect.limits.maxBytesInFlight".to_owned(),
        ),
        (
            with(json!({"redirect": {"limits": {"maxBytesInFlight": 16_777_217}}})),
            "spec.redirect.limits.maxBytesInFlight".to_owned(),
        ),
        (
            with(json!({"redirect": {"limits": {"maxMessagesInFlight": 0}}})),
            "spec.redirect.limits.maxMessagesInFlight".to_owned(),
        ),
        (
            with(json!({"redirect": {"limits": {"maxMessagesInFlight": 1025}}})),
            "spec.redirect.limits.maxMessagesInFlight".to_owned(),
        ),
        (json!({"podSelector": {"matchExpressions": many}}), "spec.podSelector.matchExpressions".to_owned()),
        (expression(json!({"key": "", "operator": "Exists"})), first("key")),
        (expression(json!({"key": "k".repeat(318), "operator": "Exists"})), first("key")),
        (expression(json!({"key": "k", "operator": "In"})), first("values")),
        (expression(json!({"key": "k", "operator": "NotIn", "values": []})), first("values")),
        (expression(json!({"key": "k", "operator": "Exists", "values": ["x"]})), first("values")),
        (expression(json!({"key": "k", "operator": "DoesNotExist", "values": ["x"]})), first("values")),
        (expression(json!({"key": "k", "operator": "In", "values": vec!["v"; 65]})), first("values")),
        (expression(json!({"key": "k", "operator": "In", "values": ["v".repeat(64)]})), first("values[0]")),
    ] {
        assert_eq!(fields(spec.clone()), [field], "{spec}");
    }
}

#[test]
fn violations_read_as_sentences_after_their_field() {
    let spec = json!({"mesh": {"sidecarPorts": [0]}, "redirect": {"limits": {"maxBytesInFlight": 1}}});
    let sentences: Vec<_> =
        validate(&object(spec)).into_iter().map(|Violation { field, message }| format!("{field}: {message}")).collect();
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
fn unknown_fields_and_nulls_are_refused_at_every_level() {
    for spec in [
        with(json!({"podSelectors": {}})),
        with(json!({"mesh": {"ports": []}})),
        with(json!({"redirect": {"limit": {}}})),
        with(json!({"redirect": {"limits": {"maxBytes": 1}}})),
        json!({"podSelector": {"matchLabel": {}}}),
        json!({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists", "value": "b"}]}}),
        json!({"podSelector": null}),
        json!({"namespaceSelector": null}),
        with(json!({"mesh": {"provider": "Custom", "proxyUid": null}})),
        with(json!({"mesh": {"provider": "Custom", "loopbackSource": null}})),
    ] {
        serde_json::from_value::<crate::MeshAccelerationSpec>(spec.clone()).expect_err(&spec.to_string());
    }
}

#[test]
fn everything_but_a_selector_has_a_default() {
    let spec = object(json!({"podSelector": {}})).spec;
    assert_eq!(spec.mesh, Mesh::default());
    assert_eq!(spec.redirect, Redirect::default());
    assert!(spec.redirect.enabled);
    assert_eq!(spec.redirect.limits.max_bytes_in_flight, 262_144);
    assert_eq!(spec.redirect.limits.max_messages_in_flight, 64);
    let partly = object(with(json!({"redirect": {"limits": {"maxMessagesInFlight": 3}}}))).spec.redirect;
    assert!(partly.enabled);
    assert_eq!(partly.limits.max_bytes_in_flight, 262_144);
}
