//! Where the objects come from: today a folder of manifests, later also an API server.
//!
//! Owns reading and watching, and what is wrong with what was read. Hands over whole states ([`Objects`]), never
//! changes, so that whoever acts on them compares states and cannot miss an event. A source that fails says so in
//! [`Objects::problems`] and keeps the last good state; it never ends the daemon.

mod document;
mod folder;
mod object;

use std::fmt;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use meshaccel_crds::MeshAcceleration;
use serde::Serialize;

pub use folder::{Error, ManifestFolder};

/// One state of the world, complete in itself. Cheap to clone: objects are shared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objects {
    /// In the order of file name and place in the file, as are the others.
    pub accelerations: Vec<Located<MeshAcceleration>>,
    pub namespaces: Vec<Located<Namespace>>,
    pub pods: Vec<Located<Pod>>,
    /// What is wrong; what it concerns is in its last good state, or left out.
    pub problems: Vec<Problem>,
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
    /// Name of the file in its folder.
    pub file: String,
    /// Lines of the upper fields (three levels), by path. Deeper ones are dropped once the object is known valid: nobody
    /// complains about them later, and a Pod has hundreds.
    pub lines: document::Lines,
}

/// One thing that is wrong, for a person. Displayed as `pods.yaml:14: spec.mode: unknown variant ...`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Name of the file in its folder, or the folder's path.
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
#[derive(Debug)]
pub enum Source {
    /// Files in a folder.
    Manifests(ManifestFolder),
}

impl Source {
    /// The state as last read.
    #[must_use]
    pub fn objects(&self) -> Objects {
        match self {
            Self::Manifests(folder) => folder.objects(),
        }
    }

    /// Waits for the next state that differs from the last one. Cancel safe: a change that was seen and not yet handed
    /// over is handed over by the next call.
    pub async fn changed(&mut self) -> Objects {
        match self {
            Self::Manifests(folder) => folder.changed().await,
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

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
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
