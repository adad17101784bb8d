//! Names of programs and maps. The kernel cuts names at 15 bytes; all begin with `ma_`, so listings show whose they are.

/// SOCKHASH of promoted sockets. Its sk_msg program decides each message.
pub const SOCKETS: &str = "ma_sockets";
/// Socket storage of every recorded socket: [`crate::Connection`].
pub const CONNECTIONS: &str = "ma_connections";
/// Those that need a look at every pass, by socket cookie: candidates that have carried enough, senders whose reader may hang,
/// and promoted sockets whose peer is not known. [`crate::Mark`].
pub const MARKED: &str = "ma_marked";
/// Both ends of recorded connections, by [`crate::EndId`].
pub const ENDS: &str = "ma_ends";
/// Network namespaces of selected pods, by netns cookie.
pub const PODS: &str = "ma_pods";
/// Policies by pod slot.
pub const POLICIES: &str = "ma_policies";
/// Switches: [`crate::policy::NODE_SWITCH`], then one a pod slot. Its layout never changes: any version can switch
/// off any other.
pub const SWITCHES: &str = "ma_switches";
/// Messages and bytes by [`crate::Reason`], per CPU.
pub const COUNTERS: &str = "ma_counters";
/// Connections by [`crate::Event`], per CPU.
pub const EVENTS: &str = "ma_events";
/// Identities of sockets older than the daemon, by socket cookie, while they are being adopted.
pub const ADOPTED: &str = "ma_adopted";

/// How often something was added to the next two, by pod slot: [`crate::Splicers`].
pub const SPLICERS: &str = "ma_splicers";
/// Sockets that were spliced from, by cookie.
pub const SPLICED: &str = "ma_spliced";
/// Ports whose sockets were spliced from: [`crate::LessonKey`].
pub const SPLICE_PORTS: &str = "ma_splice_ports";
/// What is known of the connections of a port: [`crate::Lesson`].
pub const LESSONS: &str = "ma_lessons";

/// Redirected bytes by pod slot, per CPU, as of the last review of each socket.
pub const TOTALS: &str = "ma_totals";

/// Ring buffer that wakes the daemon when something is put into [`MARKED`].
pub const WAKE: &str = "ma_wake";
/// One number: 1 when it has been woken since its last pass began.
pub const AWAKE: &str = "ma_awake";

/// All pinned maps.
pub const MAPS: [&str; 17] = [
    SOCKETS,
    CONNECTIONS,
    MARKED,
    ENDS,
    PODS,
    POLICIES,
    SWITCHES,
    COUNTERS,
    EVENTS,
    ADOPTED,
    SPLICERS,
    SPLICED,
    SPLICE_PORTS,
    LESSONS,
    TOTALS,
    WAKE,
    AWAKE,
];

/// sock_ops: records sockets that become established in selected namespaces.
pub const SOCKOPS: &str = "ma_sockops";
/// sk_msg: redirect or pass, for each message of a promoted socket.
pub const SKMSG: &str = "ma_skmsg";
/// Tracepoint: sees who splices from TCP sockets.
pub const SPLICE: &str = "ma_splice";
/// Visits one recorded socket: pairs, promotes, takes back what must leave. See [`crate::visit`].
pub const VISIT: &str = "ma_visit";
/// Iterator over all open files: writes a [`crate::ConnectionRow`] for each that is a recorded socket.
pub const LIST: &str = "ma_list";
/// Iterator over all open files: takes drained sockets out of the SOCKHASH; writes one byte for each that remains.
/// This contract never changes: any version can retire any other by reading the pinned iterator.
pub const RETIRE: &str = "ma_retire";
/// Iterator over the TCP sockets of one namespace: finds, and records, connections older than the daemon.
pub const ADOPT: &str = "ma_adopt";
/// Iterator over the TCP sockets of one namespace: wakes the readers of sockets that were taken out.
pub const KICK: &str = "ma_kick";
/// Stands in the object where bpf_rdonly_cast (Linux 6.2; of any memory since 6.17) is called, as a helper's number that no kernel
/// has.
pub const CAST: i32 = 0x0ca5_7ca5;

/// Read-only global of the object: [`crate::Offsets`].
pub const OFFSETS_GLOBAL: &str = "OFFSETS";
