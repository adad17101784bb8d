//! The `CustomResourceDefinition` as YAML: what `kubectl apply` takes and what is committed under `crds/yaml/`.

use kube::CustomResourceExt;

use crate::MeshAcceleration;

/// First line of the generated file.
const HEADER: &str =
    "# Generated from crds/src: cargo run -p meshaccel-crds > crds/yaml/meshaccelerations.meshaccel.dev.yaml\n";

/// The CRD of [`MeshAcceleration`] as one YAML document.
///
/// # Errors
/// When the CRD cannot be written as YAML, which the test of the committed file would show.
pub fn mesh_acceleration_yaml() -> Result<String, serde_saphyr::SerializeError> {
    Ok(format!("{HEADER}{}", serde_saphyr::to_string(&MeshAcceleration::crd())?))
}

#[cfg(test)]
mod tests;
