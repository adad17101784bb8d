//! Starting the daemon for the pods of a mesh, with the objects that a cluster would hold.

use anyhow::Result;
use meshaccel_e2e_harness::connections::Connections;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::manifest::{self, Manifests, Promotion};

use super::Mesh;

/// Kubernetes namespace of both pods.
pub const NAMESPACE: &str = "default";

/// The policy, its namespace, and both pods.
pub fn manifests(mesh: &Mesh, promotion: Promotion) -> Result<Manifests> {
    let manifests = Manifests::new()?;
    let provider = mesh.provider().as_str();
    manifests.write(
        "acceleration.yaml",
        &format!(
            "apiVersion: meshaccel.dev/v1alpha1
kind: MeshAcceleration
metadata:
  name: mesh
spec:
  namespaceSelector:
    matchLabels: {{ meshaccel: enabled }}
  mesh:
    provider: {provider}
  redirect:
    scope: NodeLocal
    promotion: {promotion:?}
---
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels: {{ meshaccel: enabled }}
"
        ),
    )?;
    let pods = mesh.pods().map(|pod| manifest::pod(&format!("{NAMESPACE}/{}", pod.name()), pod.netns()).yaml());
    manifests.write("pods.yaml", &pods.join("---\n"))?;
    Ok(manifests)
}

/// Starts the daemon, ready to accelerate; uninstalled when dropped.
pub fn start(mesh: &Mesh, promotion: Promotion) -> Result<Daemon> {
    Daemon::start_with("mesh", manifests(mesh, promotion)?, &[])
}

/// Messages that went past the stack on one leg: sent by the `side` ("app", "sidecar") end of connections in `pod`, to
/// its own pod or, with `across`, to the other one.
pub fn leg(connections: &Connections, pod: &str, side: &str, across: bool) -> u64 {
    let name = format!("{NAMESPACE}/{pod}");
    let rows = connections.0.iter().filter(|row| row.pod == name && row.side == side);
    let rows = rows.filter(|row| row.peer_pod.as_ref().is_some_and(|peer| *peer != name) == across);
    rows.map(|row| row.redirected.messages).sum()
}
