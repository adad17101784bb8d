//! Names of programs and maps. The kernel cuts names at 15 bytes; all begin with `ma_`, so listings show whose they are.

/// Which Service an address belongs to: [`crate::services::Vip`] to [`crate::services::ServiceIndex`].
pub const VIPS: &str = "ma_vips";
/// Ports of Services: an array of [`crate::services::Service`] that user space maps.
pub const SERVICES: &str = "ma_services";
/// Endpoints: [`crate::services::SetSlot`] to [`crate::services::Backend`].
pub const BACKENDS: &str = "ma_backends";
/// Which endpoints are in which set: [`crate::services::Member`].
pub const MEMBERS: &str = "ma_members";
/// Where a client of a Service with affinity went last: [`crate::services::AffinityKey`] to [`crate::services::Affinity`].
pub const AFFINITIES: &str = "ma_affinities";
/// Network namespaces whose sockets are translated, by netns cookie: [`crate::services::Scope`].
pub const SCOPES: &str = "ma_scopes";
/// How many connections of each such namespace are recorded.
pub const HELD: &str = "ma_held";
/// Socket storage: [`crate::services::Flows`].
pub const FLOWS: &str = "ma_flows";
/// Connected sockets, by socket cookie: [`crate::services::Record`].
pub const RECORDS: &str = "ma_svc_records";
/// Calls by [`crate::services::Reason`], per CPU.
pub const COUNTERS: &str = "ma_svc_counters";

/// All pinned maps.
pub const MAPS: [&str; 10] = [VIPS, SERVICES, BACKENDS, MEMBERS, AFFINITIES, SCOPES, HELD, FLOWS, RECORDS, COUNTERS];

/// All programs. Each is attached to the root of the cgroup tree by a link of its own name.
pub const PROGRAMS: [&str; 9] = [
    "ma_connect4",
    "ma_connect6",
    "ma_sendmsg4",
    "ma_sendmsg6",
    "ma_recvmsg4",
    "ma_recvmsg6",
    "ma_peername4",
    "ma_peername6",
    "ma_release",
];

/// Read-only global of the object: 1 where a program may choose the errno of a refused call (`bpf_set_retval`, Linux 5.18).
pub const CAN_REFUSE_GLOBAL: &str = "CAN_REFUSE";
