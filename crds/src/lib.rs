//! The Kubernetes objects of meshaccel, shared by the operator and the node daemon.
//!
//! Owns the Rust types, their defaults and bounds, the `CustomResourceDefinition` made from them, and the same checks
//! in user space for those who have no API server. No I/O here: whoever reads a file or an API hands values in.
//!
//! * [`acceleration`]: `MeshAcceleration`, what to accelerate and how
//! * [`node_acceleration`]: `NodeAcceleration`, what one node's daemon found and did
//! * [`conditions`]: types and reasons of both objects' conditions
//! * [`selector`]: label selectors
//! * [`names`]: the API group, annotations and labels that others write or read
//! * [`rules`]: bounds and CEL rules, each with the sentence that both the API server and [`validate()`] say
//! * [`validate`](mod@validate): the schema's bounds and the CEL rules, in user space
//! * [`manifest`]: the CRD as YAML, committed under `crds/yaml/`

#![warn(missing_docs, clippy::missing_errors_doc)]
#![forbid(unsafe_code)]

pub mod acceleration;
pub mod conditions;
pub mod manifest;
pub mod names;
pub mod node_acceleration;
pub mod rules;
pub mod selector;
pub mod validate;

pub use acceleration::{
    Limits, Mesh, MeshAcceleration, MeshAccelerationSpec, MeshAccelerationStatus, Mode, NodeCounts, Promotion,
    Provider, Redirect, Scope,
};
pub use node_acceleration::{
    Conflict, Finding, NodeAcceleration, NodeAccelerationSpec, NodeAccelerationStatus, Phase, Share,
};
pub use selector::{LabelSelector, LabelSelectorRequirement, Operator};
pub use validate::{Violation, validate};
