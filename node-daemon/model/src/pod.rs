//! Pods: how they are named, and what leads to their network namespaces.

use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// Namespace and name of a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodName {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
}

impl std::fmt::Display for PodName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Serialize for PodName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where a pod lives on this machine. Paths are absolute, and otherwise unchecked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Location {
    /// A network namespace, as a bind mount or /proc/PID/ns/net.
    Netns(PathBuf),
    /// A cgroup (v2), as a folder below its mount.
    Cgroup(PathBuf),
    /// A pod of the kubelet, by its uid, whose cgroup has to be found.
    Pod(String),
}

/// Cookie of a network namespace: unique for the life of the machine, never used again (`SO_NETNS_COOKIE`, Linux 5.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct NetnsCookie(pub u64);
