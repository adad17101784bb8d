//! `MeshAcceleration`: what to accelerate and how.
//!
//! Doc comments on fields are what `kubectl explain` prints, hence their form: meaning, unit, default. A field without
//! a default does not exist, save the selectors, of which one must be written.

#![expect(
    clippy::duplicated_attributes,
    reason = "each printcolumn has its own type, which the lint takes for one twice"
)]

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::rules;
use crate::selector::LabelSelector;

mod mesh;
mod redirect;
mod status;

pub use mesh::{Mesh, Provider};
pub use redirect::{Limits, Promotion, Redirect, Scope};
pub use status::{MeshAccelerationStatus, NodeCounts};

/// Which pods to accelerate, in which mesh, and how.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "meshaccel.dev",
    version = "v1alpha1",
    kind = "MeshAcceleration",
    plural = "meshaccelerations",
    shortname = "ma",
    category = "meshaccel",
    status = "MeshAccelerationStatus",
    derive = "PartialEq",
    doc = "Accelerates connections between applications and their sidecars: what is sent on one socket is handed \
           to its peer's socket inside the kernel, past the TCP/IP stack. Whatever cannot be accelerated safely \
           takes the ordinary path.",
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode", description = "Enforce or Observe"),
    printcolumn(
        name = "Provider",
        type_ = "string",
        json_path = ".spec.mesh.provider",
        description = "The mesh whose sidecars are accelerated"
    ),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Accepted")].status"#,
        description = "Whether the object is valid and in use"
    ),
    printcolumn(
        name = "Programmed",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Programmed")].status"#,
        description = "Whether every node that it names runs it"
    ),
    printcolumn(name = "Pods", type_ = "integer", json_path = ".status.pods", description = "Pods accelerated now"),
    printcolumn(
        name = "Scope",
        type_ = "string",
        json_path = ".spec.redirect.scope",
        description = "PodLocal or NodeLocal",
        priority = 1
    ),
    printcolumn(
        name = "Promotion",
        type_ = "string",
        json_path = ".spec.redirect.promotion",
        description = "Auto or Eager",
        priority = 1
    ),
    printcolumn(
        name = "Nodes",
        type_ = "integer",
        json_path = ".status.nodes.ready",
        description = "Nodes that run it",
        priority = 1
    ),
    printcolumn(
        name = "Connections",
        type_ = "integer",
        json_path = ".status.connections",
        description = "Connections redirected now",
        priority = 1
    ),
    printcolumn(
        name = "Bytes",
        type_ = "integer",
        json_path = ".status.redirectedBytes",
        description = "Bytes kept off the network stack so far",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Programmed")].message"#,
        description = "Where it runs, or why not",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = rules::SPEC))]
pub struct MeshAccelerationSpec {
    /// Pods to accelerate, by their labels; {} chooses every pod. At least one of podSelector and namespaceSelector
    /// must be written. Default: every pod of the chosen namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "LabelSelector")]
    pub pod_selector: Option<LabelSelector>,
    /// Namespaces whose pods are accelerated, by their labels; {} chooses every namespace. At least one of podSelector
    /// and namespaceSelector must be written. Default: every namespace.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "LabelSelector")]
    pub namespace_selector: Option<LabelSelector>,
    /// Nodes that accelerate, by labels that they must have with exactly these values. Default: every node.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Enforce redirects; Observe counts what would be redirected and touches nothing. Default: Enforce.
    #[serde(default)]
    pub mode: Mode,
    /// How a sidecar is told from its application. Default: the mesh is recognised from the pod's containers.
    #[serde(default)]
    pub mesh: Mesh,
    /// What is redirected, when, and within which limits. Default: every pod-local connection, once it is known safe.
    #[serde(default)]
    pub redirect: Redirect,
}

/// Whether connections are redirected or only counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Redirect.
    #[default]
    Enforce,
    /// Count what would be redirected and touch nothing.
    Observe,
}

/// An optional field that, when written, holds a value: `podSelector:` with nothing after it is null. The API server
/// drops a null and stores, for all to see, an object without the field; who reads a file has no such thing to look at, so
/// there it is refused. serde alone would take it for an absent field.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
