//! One state of the cluster, or of a folder of manifests: what all decisions of the daemon begin with.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use meshaccel_crds::MeshAcceleration;

use crate::Problem;
use crate::lines::{Lines, line_of};

/// One state of the world, complete in itself. Cheap to clone: objects are shared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objects {
    /// This machine's Node; `None` standalone, where there is none.
    pub node: Option<Arc<NodeIdentity>>,
    /// In the order of file name and place in the file, as are the others.
    pub accelerations: Vec<Located<MeshAcceleration>>,
    /// Standalone those that have an object; in a cluster all, with their labels alone.
    pub namespaces: Vec<Located<Namespace>>,
    /// Those of this machine; in a cluster with what somebody reads of them, and nothing else.
    pub pods: Vec<Located<Pod>>,
    /// MeshAccelerations of an API server that this version does not understand; standalone, a problem names the file.
    pub refused: Vec<Refused>,
    /// What is wrong; what it concerns is in its last good state, or left out.
    pub problems: Vec<Problem>,
}

/// This machine as the cluster knows it.
#[derive(Debug, PartialEq, Eq)]
pub struct NodeIdentity {
    /// `metadata.name` of the Node.
    pub name: String,
    /// `metadata.uid` of the Node.
    pub uid: String,
    /// Its labels, which `nodeSelector` is compared with.
    pub labels: BTreeMap<String, String>,
}

/// A MeshAcceleration that is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// `metadata.name`
    pub name: String,
    /// `metadata.uid`
    pub uid: String,
    /// `metadata.generation`
    pub generation: i64,
    /// Why, as a sentence.
    pub message: String,
}

/// An object and where it was read.
#[derive(Debug, PartialEq)]
pub struct Located<T> {
    /// The object, shared by all states that hold it.
    pub object: Arc<T>,
    /// For who complains about it.
    pub origin: Arc<Origin>,
}

/// Where an object was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Name of the file in its folder; empty when it came from an API server.
    pub file: String,
    /// Lines of the upper fields (three levels), by path. Deeper ones are dropped once the object is known valid: nobody
    /// complains about them later, and a Pod has hundreds.
    pub lines: Lines,
}

impl<T> Located<T> {
    /// The line of a field of this object, or of the nearest value around it.
    #[must_use]
    pub fn line(&self, field: &str) -> Option<u64> {
        line_of(&self.origin.lines, field)
    }
}

// Not derived: a derive would ask for `T: Clone`, and clone nothing of T.
impl<T> Clone for Located<T> {
    fn clone(&self) -> Self {
        Self { object: Arc::clone(&self.object), origin: Arc::clone(&self.origin) }
    }
}
