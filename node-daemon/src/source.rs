//! Where the objects come from: a folder of manifests, or an API server.
//!
//! Owns reading and watching, and what is wrong with what was read. Hands over whole states ([`Objects`]), never
//! changes, so that whoever acts on them compares states and cannot miss an event. A source that fails says so in
//! [`Objects::problems`] and keeps the last good state; it never ends the daemon.

pub mod cluster;
mod document;
mod folder;
mod object;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use meshaccel_crds::MeshAcceleration;
use serde::Serialize;

pub use cluster::Cluster;
pub use folder::{Error, ManifestFolder};

/// One state of the world, complete in itself. Cheap to clone: objects are shared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objects {
    /// This machine's Node; `None` standalone, where there is none.
    pub node: Option<Arc<NodeIdentity>>,
    /// In the order of file name and place in the file, as are the others.
    pub accelerations: Vec<Located<MeshAcceleration>>,
    pub namespaces: Vec<Located<Namespace>>,
    pub pods: Vec<Located<Pod>>,
    /// MeshAccelerations of an API server that this version does not understand; standalone, a problem names the file.
    pub refused: Vec<Refused>,
    /// What is wrong; what it concerns is in its last good state, or left out.
    pub problems: Vec<Problem>,
}

/// This machine as the cluster knows it.
#[derive(Debug, PartialEq, Eq)]
pub struct NodeIdentity {
    pub name: String,
    pub uid: String,
    pub labels: BTreeMap<String, String>,
}

/// A MeshAcceleration that is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub name: String,
    pub uid: String,
    pub generation: i64,
    /// Why, as a sentence.
    pub message: String,
}

/// An object and where it was read.
#[derive(Debug, PartialEq)]
pub struct Located<T> {
    pub object: Arc<T>,
    pub place: Arc<Place>,
}

/// Where an object was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Name of the file in its folder; empty when it came from an API server.
    pub file: String,
    /// Lines of the upper fields (three levels), by path. Deeper ones are dropped once the object is known valid: nobody
    /// complains about them later, and a Pod has hundreds.
    pub lines: document::Lines,
}

/// One thing that is wrong, for a person. Displayed as `pods.yaml:14: spec.mode: unknown variant ...`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Name of the file in its folder, or the folder's path; empty when it came from an API server.
    pub file: String,
    /// Line in that file, from 1.
    pub line: Option<u64>,
    /// Path of the field in its object.
    pub field: Option<String>,
    /// Kind and name of the object: `Pod shop/web`.
    pub object: Option<String>,
    /// What is wrong, to be read after the above.
    pub message: String,
}

/// Where the objects come from.
pub enum Source {
    /// Files in a folder.
    Manifests(ManifestFolder),
    /// An API server.
    Cluster(Cluster),
}

impl Source {
    /// The state as last read; `None` while not all of it has been read.
    #[must_use]
    pub fn objects(&self) -> Option<Objects> {
        match self {
            Self::Manifests(folder) => Some(folder.objects()),
            Self::Cluster(cluster) => cluster.objects(),
        }
    }

    /// Waits for the next state that differs from the last one. Cancel safe: a change that was seen and not yet handed
    /// over is handed over by the next call.
    pub async fn changed(&mut self) -> Objects {
        match self {
            Self::Manifests(folder) => folder.changed().await,
            Self::Cluster(cluster) => cluster.changed().await,
        }
    }
}

impl<T> Located<T> {
    /// The line of a field of this object, or of the nearest value around it.
    #[must_use]
    pub fn line(&self, field: &str) -> Option<u64> {
        document::line_of(&self.place.lines, field)
    }
}

// Not derived: a derive would ask for `T: Clone`, and clone nothing of T.
impl<T> Clone for Located<T> {
    fn clone(&self) -> Self {
        Self { object: Arc::clone(&self.object), place: Arc::clone(&self.place) }
    }
}

impl Problem {
    /// What is wrong with which field, without where it was read.
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.field {
            Some(field) => format!("{field}: {}", self.message),
            None => self.message.clone(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.file.is_empty() { self.object.as_deref().unwrap_or("objects") } else { &self.file })?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.message)
    }
}
