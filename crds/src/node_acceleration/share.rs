//! What one MeshAcceleration has come to on one node.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// What one MeshAcceleration has come to on this node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// Name of the MeshAcceleration.
    pub name: String,
    /// Its metadata.uid: another object of the same name is another object.
    #[serde(default)]
    pub uid: String,
    /// The metadata.generation that this speaks of.
    #[serde(default)]
    pub observed_generation: i64,
    /// How far it has come.
    #[serde(default)]
    pub phase: Phase,
    /// Why it is Degraded, or what a release waits for; empty otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = rules::MAX_MESSAGE))]
    pub message: String,
    /// Pods that it accelerates or observes here now.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub pods: i64,
    /// Pods that it selects and that are left alone; `meshaccel-node status` says why of each.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub skipped_pods: i64,
    /// Connections redirected now.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub connections: i64,
    /// Connections that are paired and stay on TCP for now: with mode Observe, those that would be redirected.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub observed_connections: i64,
    /// Bytes kept off the network stack here since the object was created, to within the last 15 s before a restart of
    /// the daemon.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub redirected_bytes: i64,
    /// Other MeshAccelerations that select some of the same pods here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = rules::MAX_CONFLICTS), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["with"]))]
    pub conflicts: Vec<Conflict>,
}

/// How far a MeshAcceleration has come on a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Not yet in force.
    #[default]
    Pending,
    /// In force for every pod that it selects here, apart from those counted in skippedPods.
    Programmed,
    /// Not in force, or not for every pod; message says why.
    Degraded,
    /// It is being deleted or does not choose this node any more: its connections are going back to TCP.
    Releasing,
    /// Nothing of it is left here.
    Released,
}

/// Two MeshAccelerations select the same pods. The one with the oldest creationTimestamp has them, then the first by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// Name of the other MeshAcceleration.
    pub with: String,
    /// Whether this one has the pods.
    #[serde(default)]
    pub wins: bool,
    /// How many pods here.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub pods: i64,
    /// One of them, as namespace/name.
    #[serde(default)]
    #[schemars(length(max = rules::MAX_MESSAGE))]
    pub example: String,
}
