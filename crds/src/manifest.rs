//! The `CustomResourceDefinition` as YAML: what `kubectl apply` takes and what is committed under `crds/yaml/`.

use kube::CustomResourceExt;

use crate::{MeshAcceleration, NodeAcceleration};

/// First line of a generated file.
const HEADER: &str = "# Generated from crds/src by `make crds`\n";

/// One generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its name under `crds/yaml/`.
    pub file: String,
    /// One YAML document.
    pub yaml: String,
}

/// The CRDs of this project, in the order in which they are applied.
///
/// # Errors
/// When a CRD cannot be written as YAML, which the test of the committed files would show.
pub fn all() -> Result<Vec<Manifest>, serde_saphyr::SerializeError> {
    [MeshAcceleration::crd(), NodeAcceleration::crd()]
        .iter()
        .map(|crd| {
            let file = format!("{}.yaml", crd.metadata.name.as_deref().unwrap_or_default());
            Ok(Manifest { file, yaml: format!("{HEADER}{}", serde_saphyr::to_string(crd)?) })
        })
        .collect()
}

/// All CRDs as one stream for `kubectl apply -f -`.
///
/// # Errors
/// As [`all`].
pub fn stream() -> Result<String, serde_saphyr::SerializeError> {
    Ok(all()?.iter().map(|manifest| format!("---\n{}", manifest.yaml)).collect())
}

#[cfg(test)]
mod tests;
