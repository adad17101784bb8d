//! What the operator makes for the daemon: names, settings, and the objects as they are sent.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::discovery::ApiResource;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Name of the DaemonSet, ServiceAccount, ClusterRole, ClusterRoleBinding and ValidatingAdmissionPolicy of the daemon.
pub const DAEMON: &str = "meshaccel-node";
/// Name of the operator's own objects; its field manager.
pub const OPERATOR: &str = "meshaccel-operator";
/// Label of whatever belongs to the daemon, its pods among them.
pub const LABEL_NAME: &str = "app.kubernetes.io/name";
/// Label of what this operator made. An object of the daemon's name without it is somebody else's, and left alone.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// What can be chosen about the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonSettings {
    /// Where its DaemonSet and ServiceAccount live.
    pub namespace: String,
    pub image: String,
    /// How many nodes an upgrade may take at a time: a number or a percentage.
    pub max_unavailable: String,
    /// Its log filter.
    pub log: String,
}

/// One object, ready to be sent by server-side apply.
#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    pub resource: ApiResource,
    pub namespace: Option<String>,
    pub name: String,
    /// The whole object, as JSON.
    pub body: Value,
}

impl Owned {
    pub fn new<K: Resource<DynamicType = ()> + Serialize>(object: &K) -> Self {
        Self {
            resource: ApiResource::erase::<K>(&()),
            namespace: object.meta().namespace.clone(),
            name: object.meta().name.clone().unwrap_or_default(),
            // These are plain structs with text keys, for which serde_json has no error.
            body: serde_json::to_value(object).unwrap_or_default(),
        }
    }
}

/// The labels of every object of the daemon.
pub fn labels() -> BTreeMap<String, String> {
    [(LABEL_NAME, DAEMON), (LABEL_MANAGED_BY, OPERATOR), ("app.kubernetes.io/part-of", "meshaccel")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// Metadata of a cluster-scoped object of the daemon.
pub fn metadata() -> ObjectMeta {
    ObjectMeta { name: Some(DAEMON.into()), labels: Some(labels()), ..ObjectMeta::default() }
}
