//! On which nodes the daemon must be: where some MeshAcceleration wants it, and where something of it is left. Pure.
//!
//! The affinity is part of the pod template, so each change of it restarts every daemon, one after the other (what is
//! pinned keeps running meanwhile). Hence it changes as seldom as can be: when a selector is edited, the earlier term stays
//! until the last of its nodes has released, instead of giving way to one term for each node.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm};

use super::observed::{Now, Observed, has_labels};

/// Labels that a node must have.
pub type Labels = BTreeMap<String, String>;

/// Where the daemon must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Nowhere: there is nothing to do and nothing is left.
    Nowhere,
    /// On every node.
    Everywhere,
    /// On nodes with one of these sets of labels, and on these nodes.
    Some { selectors: BTreeSet<Labels>, nodes: BTreeSet<String> },
}

/// Decides.
pub fn placement(observed: &Observed, now: Now) -> Placement {
    // A broken spec names no node, but what it once named is kept by the reports.
    let mut selectors: BTreeSet<Labels> =
        observed.accelerations.values().filter_map(|object| object.node_selector()).cloned().collect();
    let left = left_behind(observed, &selectors, now);
    for labels in current(observed.daemon_set.as_ref()) {
        if left.values().any(|node| has_labels(node, &labels)) {
            selectors.insert(labels);
        }
    }
    if selectors.iter().any(BTreeMap::is_empty) {
        return Placement::Everywhere;
    }
    let nodes: BTreeSet<String> = left
        .into_iter()
        .filter(|(_, labels)| !selectors.iter().any(|selector| has_labels(labels, selector)))
        .map(|(name, _)| name.to_owned())
        .collect();
    if selectors.is_empty() && nodes.is_empty() { Placement::Nowhere } else { Placement::Some { selectors, nodes } }
}

/// Live nodes that nothing wants any more, with programs in their kernel, and their labels.
fn left_behind<'a>(observed: &'a Observed, selectors: &BTreeSet<Labels>, now: Now) -> BTreeMap<&'a str, &'a Labels> {
    let any = !observed.accelerations.is_empty();
    observed
        .reports
        .iter()
        // While some object exists the daemon stays on silent nodes, too: it may come back and must then release.
        .filter(|(_, report)| report.has_programs() && (any || !observed.is_silent(report, now.instant)))
        .filter_map(|(name, report)| Some((name.as_str(), &observed.node_of(name, report)?.labels)))
        .filter(|(_, labels)| !selectors.iter().any(|selector| has_labels(labels, selector)))
        .collect()
}

/// The selectors by which the daemon is placed now; one empty selector if it is everywhere.
fn current(daemon_set: Option<&DaemonSet>) -> Vec<Labels> {
    let Some(pod) = daemon_set.and_then(|set| set.spec.template.spec.as_ref()) else { return Vec::new() };
    let terms = pod.affinity.as_ref().and_then(|affinity| {
        affinity.node_affinity.as_ref()?.required_during_scheduling_ignored_during_execution.as_ref()
    });
    match terms {
        None => vec![Labels::new()],
        Some(required) => required.node_selector_terms.iter().filter_map(labels).collect(),
    }
}

/// The labels of a term that [`affinity`] made of labels.
fn labels(term: &NodeSelectorTerm) -> Option<Labels> {
    let expressions = term.match_expressions.as_ref()?;
    expressions
        .iter()
        .map(|expression| match expression.values.as_deref() {
            Some([value]) if expression.operator == "In" => Some((expression.key.clone(), value.clone())),
            _ => None,
        })
        .collect()
}

/// As the pod template has it; None when it needs none.
pub fn affinity(placement: &Placement) -> Option<Affinity> {
    let Placement::Some { selectors, nodes } = placement else { return None };
    let requirement = |key: &str, value: &str| NodeSelectorRequirement {
        key: key.into(),
        operator: "In".into(),
        values: Some(vec![value.into()]),
    };
    let by_labels = selectors.iter().map(|labels| NodeSelectorTerm {
        match_expressions: Some(labels.iter().map(|(key, value)| requirement(key, value)).collect()),
        ..NodeSelectorTerm::default()
    });
    let by_name = nodes.iter().map(|name| NodeSelectorTerm {
        match_fields: Some(vec![requirement("metadata.name", name)]),
        ..NodeSelectorTerm::default()
    });
    Some(Affinity {
        node_affinity: Some(NodeAffinity {
            required_during_scheduling_ignored_during_execution: Some(NodeSelector {
                node_selector_terms: by_labels.chain(by_name).collect(),
            }),
            ..NodeAffinity::default()
        }),
        ..Affinity::default()
    })
}

impl Placement {
    /// Whether the daemon is meant to be on a node.
    pub fn includes(&self, name: &str, labels: &Labels) -> bool {
        match self {
            Self::Nowhere => false,
            Self::Everywhere => true,
            Self::Some { selectors, nodes } => {
                nodes.contains(name) || selectors.iter().any(|selector| has_labels(labels, selector))
            }
        }
    }
}

#[cfg(test)]
mod tests;
