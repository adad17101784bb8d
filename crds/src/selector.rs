//! Label selectors, as everywhere in Kubernetes, but strict.
//!
//! Not `k8s_openapi`'s type, which drops fields that it does not know: `podSelector: {matchLabel: ...}` would then
//! select every pod. Whether labels match is answered here; which objects are asked is the caller's matter.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// Chooses objects by their labels. An empty selector chooses everything; matchLabels and matchExpressions must all
/// hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelSelector {
    /// Labels that must be present with exactly these values. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Requirements on labels, all of which must hold; at most 16. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = rules::MAX_MATCH_EXPRESSIONS))]
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

/// One requirement on one label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = rules::REQUIREMENT))]
pub struct LabelSelectorRequirement {
    /// Key of the label, 1 to 317 characters.
    #[schemars(length(min = 1, max = rules::MAX_LABEL_KEY))]
    pub key: String,
    /// How the label is compared with values: In, NotIn, Exists or DoesNotExist.
    pub operator: Operator,
    /// Values to compare with, at most 64 of at most 63 characters each. Required with In and NotIn, and refused with
    /// Exists and DoesNotExist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = rules::MAX_REQUIREMENT_VALUES), inner(length(max = rules::MAX_LABEL_VALUE)))]
    pub values: Vec<String>,
}

/// Comparison of one label with a list of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Operator {
    /// The label is present and its value is one of values.
    In,
    /// The label is absent, or its value is none of values.
    NotIn,
    /// The label is present, whatever its value.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

impl LabelSelector {
    /// Whether these labels are chosen.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| requirement.holds(labels))
    }
}

impl LabelSelectorRequirement {
    /// Whether these labels meet the requirement.
    #[must_use]
    pub fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match self.operator {
            Operator::In => value.is_some_and(|value| self.values.contains(value)),
            // An absent label is "not in", as in Kubernetes itself (labels.Requirement.Matches).
            Operator::NotIn => value.is_none_or(|value| !self.values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

#[cfg(test)]
mod tests;
