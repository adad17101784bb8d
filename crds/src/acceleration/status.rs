//! `status`: what the cluster made of the object. Written by the operator alone.
//!
//! Unknown fields are let through here: an older reader must not fail on what a newer operator reports.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the cluster made of the object, folded together from what each node reports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeshAccelerationStatus {
    /// The metadata.generation that this status speaks of; older than the object's: the change is not yet seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub observed_generation: Option<i64>,
    /// Accepted, Programmed and Degraded, each with a reason and a sentence that a person can act on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Nodes by what became of the object on them.
    #[serde(default)]
    pub nodes: NodeCounts,
    /// Pods accelerated at the last report.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub pods: i64,
    /// Connections redirected at the last report.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub connections: i64,
    /// Bytes kept off the network stack since the object was created.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub redirected_bytes: i64,
}

/// Nodes by what became of the object on them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeCounts {
    /// Nodes that nodeSelector chooses. Those that are neither ready nor degraded have not reported this generation as in force.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub desired: i64,
    /// Nodes that run it in full.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub ready: i64,
    /// Nodes that run it in part or not at all, and say why in their NodeAcceleration.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub degraded: i64,
}
