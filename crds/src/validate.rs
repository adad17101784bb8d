//! The schema's bounds and the CEL rules, said in user space: standalone has no API server to refuse an object.
//!
//! Pure. Says exactly what the API server would say, with the same words ([`crate::rules`]); the types of fields and
//! unknown fields are serde's matter, before an object gets here.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::acceleration::{Mesh, MeshAcceleration, Provider, Redirect};
use crate::rules::{self, Rule};
use crate::selector::{LabelSelector, LabelSelectorRequirement, Operator};

/// One thing that is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field to blame, from the object's root: `spec.mesh.sidecarPorts[2]`.
    pub field: String,
    /// What is wrong, to be read after the field's name.
    pub message: String,
}

/// Everything that is wrong with an object, in the order of its fields; empty for a valid one.
#[must_use]
pub fn validate(object: &MeshAcceleration) -> Vec<Violation> {
    let spec = &object.spec;
    let mut found = Findings::default();
    if spec.pod_selector.is_none() && spec.namespace_selector.is_none() {
        found.break_rule("spec", &rules::SOME_SELECTOR);
    }
    if let Some(selector) = &spec.pod_selector {
        check_selector(&mut found, "spec.podSelector", selector);
    }
    if let Some(selector) = &spec.namespace_selector {
        check_selector(&mut found, "spec.namespaceSelector", selector);
    }
    check_mesh(&mut found, &spec.mesh);
    check_redirect(&mut found, &spec.redirect);
    if spec.mesh.sidecar_ports.iter().any(|port| spec.redirect.excluded_ports.contains(port)) {
        found.break_rule("spec", &rules::PORTS_DISJOINT);
    }
    found.0
}

fn check_selector(found: &mut Findings, field: &str, selector: &LabelSelector) {
    let expressions = &selector.match_expressions;
    let field = format!("{field}.matchExpressions");
    found.max_items(&field, expressions.len(), rules::MAX_MATCH_EXPRESSIONS);
    for (index, requirement) in expressions.iter().enumerate() {
        check_requirement(found, &format!("{field}[{index}]"), requirement);
    }
}

fn check_requirement(found: &mut Findings, field: &str, requirement: &LabelSelectorRequirement) {
    let key = format!("{field}.key");
    if requirement.key.is_empty() {
        found.add(&key, "must not be empty");
    }
    found.max_length(&key, &requirement.key, rules::MAX_LABEL_KEY);
    let values = format!("{field}.values");
    found.max_items(&values, requirement.values.len(), rules::MAX_REQUIREMENT_VALUES);
    for (index, value) in requirement.values.iter().enumerate() {
        found.max_length(&format!("{values}[{index}]"), value, rules::MAX_LABEL_VALUE);
    }
    match (requirement.operator, requirement.values.is_empty()) {
        (Operator::In | Operator::NotIn, true) => found.break_rule(field, &rules::VALUES_NEEDED),
        (Operator::Exists | Operator::DoesNotExist, false) => found.break_rule(field, &rules::VALUES_REFUSED),
        _ => {}
    }
}

fn check_mesh(found: &mut Findings, mesh: &Mesh) {
    let field = "spec.mesh";
    let custom = mesh.provider == Provider::Custom;
    if !custom && !mesh.sidecar_ports.is_empty() {
        found.break_rule(field, &rules::PORTS_NEED_CUSTOM);
    }
    found.ports("spec.mesh.sidecarPorts", &mesh.sidecar_ports, rules::MAX_SIDECAR_PORTS);
    if let Some(uid) = mesh.proxy_uid {
        if !custom {
            found.break_rule(field, &rules::UID_NEEDS_CUSTOM);
        }
        found.in_range("spec.mesh.proxyUid", uid, 0..=rules::MAX_UID);
    }
    if let Some(source) = &mesh.loopback_source {
        if !custom {
            found.break_rule(field, &rules::SOURCE_NEEDS_CUSTOM);
        }
        found.max_length("spec.mesh.loopbackSource", source, rules::MAX_ADDRESS);
        if !is_address(source) {
            found.break_rule(field, &rules::SOURCE_IS_ADDRESS);
        }
    }
}

fn check_redirect(found: &mut Findings, redirect: &Redirect) {
    found.ports("spec.redirect.excludedPorts", &redirect.excluded_ports, rules::MAX_EXCLUDED_PORTS);
    found.in_range(
        "spec.redirect.limits.maxBytesInFlight",
        redirect.limits.max_bytes_in_flight.into(),
        rules::MIN_BYTES_IN_FLIGHT.into()..=rules::MAX_BYTES_IN_FLIGHT.into(),
    );
    found.in_range(
        "spec.redirect.limits.maxMessagesInFlight",
        redirect.limits.max_messages_in_flight.into(),
        rules::MIN_MESSAGES_IN_FLIGHT.into()..=rules::MAX_MESSAGES_IN_FLIGHT.into(),
    );
}

/// As CEL's `isIP`: no zone (std knows none in an `IpAddr`) and no v4-mapped address.
fn is_address(text: &str) -> bool {
    match text.parse() {
        Ok(IpAddr::V4(_)) => true,
        Ok(IpAddr::V6(address)) => address.to_ipv4_mapped().is_none(),
        Err(_) => false,
    }
}

/// What was found so far.
#[derive(Default)]
struct Findings(Vec<Violation>);

impl Findings {
    fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(Violation { field: field.to_owned(), message: message.into() });
    }

    fn break_rule(&mut self, parent: &str, rule: &Rule) {
        self.add(&format!("{parent}{}", rule.field_path.unwrap_or_default()), rule.message);
    }

    fn max_items(&mut self, field: &str, count: usize, max: usize) {
        if count > max {
            self.add(field, format!("{count} entries, at most {max} are allowed"));
        }
    }

    /// Characters, not bytes, as JSON schema counts.
    fn max_length(&mut self, field: &str, text: &str, max: usize) {
        let length = text.chars().count();
        if length > max {
            self.add(field, format!("{length} characters, at most {max} are allowed"));
        }
    }

    fn in_range(&mut self, field: &str, value: i64, range: RangeInclusive<i64>) {
        if !range.contains(&value) {
            self.add(field, format!("{value} is not within {} to {}", range.start(), range.end()));
        }
    }

    fn ports(&mut self, field: &str, ports: &[u16], max: usize) {
        self.max_items(field, ports.len(), max);
        if let Some(index) = (1..ports.len()).find(|&index| ports[..index].contains(&ports[index])) {
            self.add(&format!("{field}[{index}]"), format!("{} is written twice", ports[index]));
        }
        for (index, port) in ports.iter().enumerate() {
            self.in_range(&format!("{field}[{index}]"), (*port).into(), rules::MIN_PORT.into()..=u16::MAX.into());
        }
    }
}

#[cfg(any(test, feature = "table"))]
pub mod table;

#[cfg(test)]
mod tests;
