//! Names that others write or read: changing one breaks manifests in the field.

/// API group of every object of this project.
pub const GROUP: &str = "meshaccel.dev";
/// The one version served so far.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` as it stands in a manifest.
pub const API_VERSION: &str = "meshaccel.dev/v1alpha1";
/// `kind` of [`crate::MeshAcceleration`].
pub const KIND: &str = "MeshAcceleration";

/// `kind` of [`crate::NodeAcceleration`].
pub const NODE_KIND: &str = "NodeAcceleration";
/// Finalizer of a MeshAcceleration: held by the operator until every live node has reported its programs gone.
pub const FINALIZER: &str = "meshaccel.dev/programs-gone";

/// Pod annotation, standalone only: path of the pod's network namespace on this machine.
pub const ANNOTATION_NETNS: &str = "meshaccel.dev/netns";
/// Pod annotation, standalone only: path of the pod's cgroup (v2) on this machine.
pub const ANNOTATION_CGROUP: &str = "meshaccel.dev/cgroup";
/// Pod annotation: `"false"` opts the pod out of acceleration, whatever selects it.
pub const ANNOTATION_ACCELERATE: &str = "meshaccel.dev/accelerate";

/// Label that Kubernetes itself puts on every Namespace: its name.
pub const LABEL_NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";
