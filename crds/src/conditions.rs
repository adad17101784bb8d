//! Types and reasons of the conditions, which people's scripts wait for: changing one breaks them.
//! `kubectl wait --for=condition=Programmed ma/NAME` is the common case.

/// Types of a MeshAcceleration's conditions.
pub mod acceleration {
    /// The object is valid and in use. Reasons: [`VALID`], [`CONFLICT`], [`INVALID`], [`DELETING`].
    pub const ACCEPTED: &str = "Accepted";
    /// Every live node that it names runs it as it is now. Reasons: [`PROGRAMMED`], [`WAITING`], [`NODES_DEGRADED`],
    /// [`NO_NODES`], [`RELEASING`].
    pub const PROGRAMMED: &str = "Programmed";
    /// Something is wrong somewhere. Reasons: [`AS_EXPECTED`], [`NODES_DEGRADED`], [`NODES_SILENT`], [`CANNOT_DEPLOY`].
    pub const DEGRADED: &str = "Degraded";

    /// Accepted: nothing is wrong with it.
    pub const VALID: &str = "Valid";
    /// Accepted (True): another object selects some of the same pods; the message says which has them.
    pub const CONFLICT: &str = "Conflict";
    /// Not accepted: stored by a version that allowed what this one does not.
    pub const INVALID: &str = "Invalid";
    /// Not accepted: it is being deleted.
    pub const DELETING: &str = "Deleting";
    /// Not programmed: some nodes have not yet reported this generation.
    pub const WAITING: &str = "Waiting";
    /// Not programmed: no node has the labels of nodeSelector.
    pub const NO_NODES: &str = "NoNodes";
    /// Not programmed: on its way out; the message says which nodes it waits for.
    pub const RELEASING: &str = "Releasing";
    /// Not degraded.
    pub const AS_EXPECTED: &str = "AsExpected";
    /// Some nodes report that they run it in part or not at all.
    pub const NODES_DEGRADED: &str = "NodesDegraded";
    /// Some nodes have not reported for more than [`crate::conditions::SILENT_AFTER`].
    pub const NODES_SILENT: &str = "NodesSilent";
    /// The daemon's DaemonSet cannot be written; the message names the rule or command that is missing.
    pub const CANNOT_DEPLOY: &str = "CannotDeploy";
}

/// Types of a NodeAcceleration's conditions.
pub mod node {
    /// The node does all that is asked of it. Reasons: [`ACTIVE`], [`IDLE`], [`PARTLY`], [`KERNEL_UNSUPPORTED`],
    /// [`NOT_PERMITTED`], [`MOUNT_MISSING`], [`FAILED`].
    pub const READY: &str = "Ready";
    /// The daemon knows the present state of the cluster. Reasons: [`CONNECTED`], [`DISCONNECTED`].
    pub const CURRENT: &str = "Current";

    /// Ready: programs run, every selected pod is accelerated.
    pub const ACTIVE: &str = "Active";
    /// Ready: no MeshAcceleration chooses this node, and nothing is loaded.
    pub const IDLE: &str = "Idle";
    /// Not ready: some selected pods are not accelerated.
    pub const PARTLY: &str = "Partly";
    /// Not ready: the node's kernel lacks something, or refuses a program; the message says what is known of it, and what to do.
    pub const KERNEL_UNSUPPORTED: &str = "KernelUnsupported";
    /// Not ready: a capability is missing, or the kernel's lockdown or a security module is in the way.
    pub const NOT_PERMITTED: &str = "NotPermitted";
    /// Not ready: no bpffs, or not the node's whole cgroup v2 hierarchy, is mounted where the daemon looks; the message says which.
    pub const MOUNT_MISSING: &str = "MountMissing";
    /// Not ready: the programs cannot be loaded or removed, for another reason.
    pub const FAILED: &str = "Failed";
    /// Current.
    pub const CONNECTED: &str = "Connected";
    /// Not current: the API server is out of reach; what was known goes on.
    pub const DISCONNECTED: &str = "Disconnected";
}

/// How long after its last report a node counts as silent: two heartbeats.
pub const SILENT_AFTER: std::time::Duration = std::time::Duration::from_secs(150);
