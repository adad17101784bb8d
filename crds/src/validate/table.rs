//! A table of objects as a person writes them: what is accepted, and everything that is refused with the words for it.
//!
//! One table, two readers: the unit tests of [`super::validate`], and the test that hands the same objects to a real API
//! server. So both refuse the same objects, blame the same field and, where a rule of ours is broken, say the same
//! sentence.

use serde_json::{Value, json};

use crate::rules::{self, Rule};

/// An object that breaks one rule or one bound.
#[derive(Debug)]
pub struct Refusal {
    /// Its `spec`.
    pub spec: Value,
    /// The field to blame.
    pub field: String,
    /// What [`super::validate`] says.
    pub says: String,
    /// What the API server's sentence contains.
    pub server_says: String,
}

/// An object that does not even fit the types: serde refuses it here, the API server's decoder there.
#[derive(Debug)]
pub struct Misfit {
    /// Its `spec`.
    pub spec: Value,
    /// What the API server's sentence contains.
    pub server_says: &'static str,
}

/// A whole object.
#[must_use]
pub fn object(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": crate::names::API_VERSION, "kind": crate::names::KIND, "metadata": {"name": name}, "spec": spec,
    })
}

/// A spec that is valid but for what is merged into it.
fn with(extra: Value) -> Value {
    let mut spec = json!({"podSelector": {}});
    if let (Value::Object(spec), Value::Object(extra)) = (&mut spec, extra) {
        spec.extend(extra);
    }
    spec
}

/// So many different requirements.
fn expressions(count: usize) -> Vec<Value> {
    (0..count).map(|n| json!({"key": format!("k{n}"), "operator": "Exists"})).collect()
}

/// A spec with one requirement.
fn requiring(requirement: Value) -> Value {
    json!({"namespaceSelector": {"matchExpressions": [requirement]}})
}

/// Specs that are accepted, many of them just within a bound.
#[must_use]
pub fn accepted() -> Vec<Value> {
    let values: Vec<_> = (0..rules::MAX_REQUIREMENT_VALUES).map(|n| format!("{n:063}")).collect();
    vec![
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
        json!({"podSelector": {"matchExpressions": expressions(16)}}),
        json!({"podSelector": {"matchExpressions": [{"key": "k".repeat(317), "operator": "In", "values": values}]}}),
    ]
}

/// Breaks a rule of ours: the API server says it with our words.
fn breaks(rule: &Rule, field: &str, spec: Value) -> Refusal {
    let says = rule.message.to_owned();
    Refusal { spec, field: field.to_owned(), server_says: says.clone(), says }
}

/// Is beyond a bound of the schema: the API server has its own words for it.
fn beyond(says: &str, server_says: &str, field: &str, spec: Value) -> Refusal {
    Refusal { spec, field: field.to_owned(), says: says.to_owned(), server_says: server_says.to_owned() }
}

/// Everything that is refused, a rule or a bound at a time.
#[must_use]
pub fn refused() -> Vec<Refusal> {
    [selectors(), meshes(), redirects()].into_iter().flatten().collect()
}

fn selectors() -> Vec<Refusal> {
    let first = |field: &str| format!("spec.namespaceSelector.matchExpressions[0].{field}");
    let (key, values) = (&first("key"), &first("values"));
    vec![
        breaks(&rules::SOME_SELECTOR, "spec", json!({})),
        breaks(&rules::SOME_SELECTOR, "spec", json!({"nodeSelector": {"a": "b"}, "mode": "Observe"})),
        beyond(
            "17 entries, at most 16 are allowed",
            "Too many: 17: must have at most 16 items",
            "spec.podSelector.matchExpressions",
            json!({"podSelector": {"matchExpressions": expressions(17)}}),
        ),
        beyond(
            "must not be empty",
            "should be at least 1 chars long",
            key,
            requiring(json!({"key": "", "operator": "Exists"})),
        ),
        beyond(
            "318 characters, at most 317 are allowed",
            "Too long: may not be more than 317 bytes",
            key,
            requiring(json!({"key": "k".repeat(318), "operator": "Exists"})),
        ),
        breaks(&rules::VALUES_NEEDED, values, requiring(json!({"key": "k", "operator": "In"}))),
        breaks(&rules::VALUES_NEEDED, values, requiring(json!({"key": "k", "operator": "NotIn", "values": []}))),
        breaks(&rules::VALUES_REFUSED, values, requiring(json!({"key": "k", "operator": "Exists", "values": ["x"]}))),
        breaks(
            &rules::VALUES_REFUSED,
            values,
            requiring(json!({"key": "k", "operator": "DoesNotExist", "values": ["x"]})),
        ),
        beyond(
            "65 entries, at most 64 are allowed",
            "Too many: 65: must have at most 64 items",
            values,
            requiring(json!({"key": "k", "operator": "In", "values": vec!["v"; 65]})),
        ),
        beyond(
            "64 characters, at most 63 are allowed",
            "Too long: may not be more than 63 bytes",
            &first("values[0]"),
            requiring(json!({"key": "k", "operator": "In", "values": ["v".repeat(64)]})),
        ),
    ]
}

fn meshes() -> Vec<Refusal> {
    let custom = |extra: Value| {
        let mut mesh = json!({"provider": "Custom"});
        if let (Value::Object(mesh), Value::Object(extra)) = (&mut mesh, extra) {
            mesh.extend(extra);
        }
        with(json!({"mesh": mesh}))
    };
    let (ports, uid, source) = ("spec.mesh.sidecarPorts", "spec.mesh.proxyUid", "spec.mesh.loopbackSource");
    vec![
        breaks(&rules::PORTS_NEED_CUSTOM, ports, with(json!({"mesh": {"sidecarPorts": [80]}}))),
        breaks(&rules::UID_NEEDS_CUSTOM, uid, with(json!({"mesh": {"provider": "Istio", "proxyUid": 1}}))),
        breaks(
            &rules::SOURCE_NEEDS_CUSTOM,
            source,
            with(json!({"mesh": {"provider": "Linkerd", "loopbackSource": "::6"}})),
        ),
        beyond(
            "0 is not within 1 to 65535",
            "should be greater than or equal to 1",
            "spec.mesh.sidecarPorts[1]",
            custom(json!({"sidecarPorts": [7, 0]})),
        ),
        beyond(
            "9 entries, at most 8 are allowed",
            "Too many: 9: must have at most 8 items",
            ports,
            custom(json!({"sidecarPorts": [1, 2, 3, 4, 5, 6, 7, 8, 9]})),
        ),
        beyond(
            "80 is written twice",
            "Duplicate value: 80",
            "spec.mesh.sidecarPorts[1]",
            custom(json!({"sidecarPorts": [80, 80]})),
        ),
        beyond(
            "-1 is not within 0 to 4294967294",
            "should be greater than or equal to 0",
            uid,
            custom(json!({"proxyUid": -1})),
        ),
        beyond(
            "4294967295 is not within 0 to 4294967294",
            "should be less than or equal to 4294967294",
            uid,
            custom(json!({"proxyUid": 4_294_967_295_u64})),
        ),
        breaks(&rules::SOURCE_IS_ADDRESS, source, custom(json!({"loopbackSource": "localhost"}))),
        breaks(&rules::SOURCE_IS_ADDRESS, source, custom(json!({"loopbackSource": "::ffff:127.0.0.6"}))),
        breaks(&rules::SOURCE_IS_ADDRESS, source, custom(json!({"loopbackSource": "127.000.0.6"}))),
        breaks(&rules::SOURCE_IS_ADDRESS, source, custom(json!({"loopbackSource": "fe80::1%lo"}))),
    ]
}

fn redirects() -> Vec<Refusal> {
    let excluding = |ports: Vec<u16>| with(json!({"redirect": {"excludedPorts": ports}}));
    let limiting = |limits: Value| with(json!({"redirect": {"limits": limits}}));
    let ports = "spec.redirect.excludedPorts";
    let (bytes, messages) = ("spec.redirect.limits.maxBytesInFlight", "spec.redirect.limits.maxMessagesInFlight");
    vec![
        breaks(
            &rules::PORTS_DISJOINT,
            ports,
            with(
                json!({"mesh": {"provider": "Custom", "sidecarPorts": [80]}, "redirect": {"excludedPorts": [90, 80]}}),
            ),
        ),
        beyond(
            "80 is written twice",
            "Duplicate value: 80",
            "spec.redirect.excludedPorts[2]",
            excluding(vec![80, 90, 80]),
        ),
        beyond(
            "0 is not within 1 to 65535",
            "should be greater than or equal to 1",
            "spec.redirect.excludedPorts[0]",
            excluding(vec![0]),
        ),
        beyond(
            "17 entries, at most 16 are allowed",
            "Too many: 17: must have at most 16 items",
            ports,
            excluding((1..=17).collect()),
        ),
        beyond(
            "4095 is not within 4096 to 16777216",
            "should be greater than or equal to 4096",
            bytes,
            limiting(json!({"maxBytesInFlight": 4095})),
        ),
        beyond(
            "16777217 is not within 4096 to 16777216",
            "should be less than or equal to 16777216",
            bytes,
            limiting(json!({"maxBytesInFlight": 16_777_217})),
        ),
        beyond(
            "0 is not within 1 to 1024",
            "should be greater than or equal to 1",
            messages,
            limiting(json!({"maxMessagesInFlight": 0})),
        ),
        beyond(
            "1025 is not within 1 to 1024",
            "should be less than or equal to 1024",
            messages,
            limiting(json!({"maxMessagesInFlight": 1025})),
        ),
    ]
}

/// Everything that does not fit the types: unknown fields at every level, wrong kinds of values.
#[must_use]
pub fn misfits() -> Vec<Misfit> {
    [
        (with(json!({"podSelectors": {}})), r#"unknown field "spec.podSelectors""#),
        (with(json!({"mesh": {"ports": []}})), r#"unknown field "spec.mesh.ports""#),
        (with(json!({"redirect": {"limit": {}}})), r#"unknown field "spec.redirect.limit""#),
        (with(json!({"redirect": {"limits": {"maxBytes": 1}}})), r#"unknown field "spec.redirect.limits.maxBytes""#),
        (json!({"podSelector": {"matchLabel": {}}}), r#"unknown field "spec.podSelector.matchLabel""#),
        (
            json!({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists", "value": "b"}]}}),
            r#"unknown field "spec.podSelector.matchExpressions[0].value""#,
        ),
        (
            with(json!({"mode": "observe"})),
            r#"spec.mode: Unsupported value: "observe": supported values: "Enforce", "Observe""#,
        ),
        (with(json!({"mesh": {"provider": "Consul"}})), r#"spec.mesh.provider: Unsupported value: "Consul""#),
        (with(json!({"redirect": {"scope": "Cluster"}})), r#"spec.redirect.scope: Unsupported value: "Cluster""#),
        (with(json!({"redirect": {"promotion": "Never"}})), r#"spec.redirect.promotion: Unsupported value: "Never""#),
        (
            json!({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Equals"}]}}),
            r#"spec.podSelector.matchExpressions[0].operator: Unsupported value: "Equals""#,
        ),
        (
            json!({"podSelector": {"matchExpressions": [{"operator": "Exists"}]}}),
            "spec.podSelector.matchExpressions[0].key: Required value",
        ),
        (
            with(json!({"redirect": {"enabled": "yes"}})),
            r#"spec.redirect.enabled in body must be of type boolean: "string""#,
        ),
        (
            with(json!({"mesh": {"provider": "Custom", "sidecarPorts": [65_536]}})),
            "spec.mesh.sidecarPorts[0] in body should be less than or equal to 65535",
        ),
        (with(json!({"nodeSelector": {"a": 1}})), r#"spec.nodeSelector.a in body must be of type string: "integer""#),
    ]
    .into_iter()
    .map(|(spec, server_says)| Misfit { spec, server_says })
    .collect()
}

/// Nulls, each with the path of its field. The API server drops them and takes the field for absent, as it does for every
/// object; who reads a file has no stored object to show what became of a null, so user space refuses it.
#[must_use]
pub fn nulls() -> Vec<(Value, &'static str)> {
    vec![
        (json!({"namespaceSelector": {}, "podSelector": null}), "podSelector"),
        (with(json!({"namespaceSelector": null})), "namespaceSelector"),
        (with(json!({"nodeSelector": null})), "nodeSelector"),
        (with(json!({"mode": null})), "mode"),
        (with(json!({"mesh": null})), "mesh"),
        (with(json!({"mesh": {"provider": "Custom", "proxyUid": null}})), "mesh/proxyUid"),
        (with(json!({"mesh": {"provider": "Custom", "loopbackSource": null}})), "mesh/loopbackSource"),
        (with(json!({"redirect": {"limits": null}})), "redirect/limits"),
    ]
}
