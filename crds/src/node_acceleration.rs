//! `NodeAcceleration`: what one node's daemon found and did. One a node, of the node's name and owned by it, written by
//! that node's daemon alone; so thousands of daemons never write to one object.
//!
//! Unknown fields are let through: an older reader must not fail on what a newer daemon reports.

#![expect(
    clippy::duplicated_attributes,
    reason = "each printcolumn has its own type, which the lint takes for one twice"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

mod share;

pub use share::{Conflict, Phase, Share};

/// Nothing is asked of a node by this object: what it does follows from the MeshAccelerations.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "meshaccel.dev",
    version = "v1alpha1",
    kind = "NodeAcceleration",
    plural = "nodeaccelerations",
    shortname = "na",
    category = "meshaccel",
    status = "NodeAccelerationStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "What the meshaccel daemon of one node found and did. The object has the node's name and goes with it; the \
           daemon writes it, people and the operator read it.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the node does all that is asked of it"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why it is, or is not"
    ),
    printcolumn(name = "Pods", type_ = "integer", json_path = ".status.pods", description = "Pods accelerated now"),
    printcolumn(
        name = "Connections",
        type_ = "integer",
        json_path = ".status.connections",
        description = "Connections redirected now"
    ),
    printcolumn(
        name = "Reported",
        type_ = "date",
        json_path = ".status.reportedAt",
        description = "When the daemon last wrote; more than two minutes ago: it does not run, or cannot reach the API"
    ),
    printcolumn(
        name = "Version",
        type_ = "string",
        json_path = ".status.version",
        description = "Version of the daemon",
        priority = 1
    ),
    printcolumn(
        name = "Kernel",
        type_ = "string",
        json_path = ".status.kernel",
        description = "Kernel release of the node",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        description = "The reason in words",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct NodeAccelerationSpec {}

/// What the daemon found and did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeAccelerationStatus {
    /// When the daemon wrote this. It writes on each change of what it does, at most every second; counts every 15 s; and
    /// every 60 s if nothing has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub reported_at: Option<Time>,
    /// Version of the daemon.
    #[serde(default)]
    #[schemars(length(max = rules::MAX_LABEL_VALUE))]
    pub version: String,
    /// Kernel release, as uname -r prints it.
    #[serde(default)]
    #[schemars(length(max = rules::MAX_KERNEL))]
    pub kernel: String,
    /// What this kernel was found unable to do when the daemon tried it, and what follows from that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = rules::MAX_FINDINGS), extend("x-kubernetes-list-type" = "atomic"))]
    pub lacks: Vec<Finding>,
    /// Names of the programs that are loaded and attached; none: nothing of meshaccel is in this node's kernel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = rules::MAX_FINDINGS), extend("x-kubernetes-list-type" = "atomic"))]
    pub programs: Vec<String>,
    /// Ready, with a reason and a sentence that a person can act on; and Current: whether the daemon knows the cluster's
    /// present state, or goes by what it knew when it last reached the API server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Pods accelerated or observed at this time, of all MeshAccelerations.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub pods: i64,
    /// Connections redirected at this time.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub connections: i64,
    /// What each MeshAcceleration that names this node has come to here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub accelerations: Vec<Share>,
}

/// Something that does not work on this node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What does not work, such as "promote a running connection", or what is missing.
    #[serde(default)]
    #[schemars(length(max = rules::MAX_MESSAGE))]
    pub what: String,
    /// What follows from its absence.
    #[serde(default)]
    #[schemars(length(max = rules::MAX_MESSAGE))]
    pub consequence: String,
}
