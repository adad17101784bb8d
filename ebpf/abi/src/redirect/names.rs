//! Names of programs and maps. The kernel cuts names at 15 bytes; all begin with `ma_`, so listings show whose they are.

/// SOCKHASH of promoted sockets. Its sk_msg program decides each message.
pub const SOCKETS: &str = "ma_sockets";
/// Socket storage of every recorded socket: [`crate::redirect::Connection`].
pub const CONNECTIONS: &str = "ma_connections";
/// The dirty set: those that every scan looks at, by socket cookie: candidates that have carried enough, and promoted sockets whose
/// peer is not known. [`crate::redirect::SocketMark`].
pub const DIRTY: &str = "ma_dirty";
/// Ring buffer: promoted sockets that are to leave the SOCKHASH, as they are asked to: [`crate::redirect::SocketMark`].
pub const LEAVERS: &str = "ma_leavers";
/// Both ends of recorded connections, by [`crate::redirect::EndId`].
pub const ENDS: &str = "ma_ends";
/// How many records each pod has: see [`crate::redirect::records`].
pub const RECORDS: &str = "ma_records";
/// Network namespaces of selected pods, by netns cookie.
pub const PODS: &str = "ma_pods";
/// Policies by pod slot.
pub const POLICIES: &str = "ma_policies";
/// Switches: [`crate::redirect::policy::NODE_SWITCH`], then one a pod slot. Its layout never changes: any version can switch
/// off any other.
pub const SWITCHES: &str = "ma_switches";
/// Array of one number, there while somebody uninstalls: what the node's switch said before uninstall switched it off. No
/// program reads it. Its layout never changes.
pub const RETIRING: &str = "ma_retiring";
/// Messages and bytes by [`crate::redirect::Reason`], per CPU.
pub const COUNTERS: &str = "ma_counters";
/// Connections by [`crate::redirect::Event`], per CPU.
pub const EVENTS: &str = "ma_events";
/// Identities of sockets older than the daemon, by socket cookie, while they are being imported.
pub const IMPORTED: &str = "ma_imported";

/// Habits of pods as a whole, by slot: [`crate::redirect::PodHabits`].
pub const POD_HABITS: &str = "ma_pod_habits";
/// [`crate::redirect::habit`] bits of ports: by [`crate::redirect::PortKey`].
pub const HABITS: &str = "ma_habits";
/// What is known of the connections of a port: [`crate::redirect::PortHistory`].
pub const HISTORIES: &str = "ma_histories";

/// Redirected bytes by pod slot, per CPU, as of the last full resync of each socket.
pub const TOTALS: &str = "ma_totals";

/// Ring buffer that wakes the daemon when something is put into [`DIRTY`].
pub const WAKE: &str = "ma_wake";
/// One number: 1 when it has been woken since its last scan began.
pub const AWAKE: &str = "ma_awake";
/// One number: 1 when programs of sock_ops are loaded that are not ours.
pub const NEIGHBOURS: &str = "ma_neighbours";

/// All pinned maps.
pub const MAPS: [&str; 19] = [
    SOCKETS,
    CONNECTIONS,
    DIRTY,
    LEAVERS,
    ENDS,
    RECORDS,
    PODS,
    POLICIES,
    SWITCHES,
    COUNTERS,
    EVENTS,
    IMPORTED,
    POD_HABITS,
    HABITS,
    HISTORIES,
    TOTALS,
    WAKE,
    AWAKE,
    NEIGHBOURS,
];

/// sock_ops: records sockets that become established in selected namespaces.
pub const SOCKOPS: &str = "ma_sockops";
/// sk_msg: redirect or pass, for each message of a promoted socket.
pub const SKMSG: &str = "ma_skmsg";
/// Tracepoints: they see who splices from TCP sockets, who asks how many bytes wait, and who makes a descriptor blocking.
pub const SPLICE: &str = "ma_splice";
/// See [`SPLICE`].
pub const IOCTL: &str = "ma_ioctl";
/// See [`SPLICE`].
pub const FCNTL: &str = "ma_fcntl";
/// The same at the entries of kernel functions, program and function; and what no tracepoint could see without a cost to all who
/// receive. All kernels have the first [`NEEDED_ENTRIES`].
pub const ENTRIES: [(&str, &str); 5] = [
    ("ma_enter_splice", "tcp_splice_read"),
    ("ma_enter_ioctl", "security_file_ioctl"),
    ("ma_enter_fcntl", "security_file_fcntl"),
    ("ma_enter_ioctl32", "security_file_ioctl_compat"),
    ("ma_enter_recv", "tcp_bpf_recvmsg"),
];
/// Without these the tracepoints are the better way.
pub const NEEDED_ENTRIES: usize = 3;
/// Tracepoints: they have calls that receive wait for a socket that is to leave. Twins, attached in turns.
pub const GATES: [&str; 2] = ["ma_gate", "ma_gate_again"];
/// Visits one recorded socket: pairs, promotes, takes back what must leave. See [`crate::redirect::visit`].
pub const VISIT: &str = "ma_visit";
/// Where a classifier may not change a SOCKHASH: takes one recorded socket back all the same, and leaves its key to user space.
pub const LEAVE: &str = "ma_leave";
/// There, iterators do the rest, by purpose ([`crate::redirect::visit::SCAN`], [`crate::redirect::visit::RESYNC`]): they write a
/// [`crate::redirect::visit::Scanned`] for each recorded socket. These go over the socket storage, and so over recorded sockets alone, of all
/// namespaces.
pub const OWN_SCANS: [&str; 2] = ["ma_own_scan", "ma_own_resync"];
/// And these, where the kernel refuses such iterators, over all TCP sockets of one namespace.
pub const SCANS: [&str; 2] = ["ma_ns_scan", "ma_ns_resync"];
/// Iterator over all open files: writes a [`crate::redirect::ConnectionRow`] for each that is a recorded socket.
pub const LIST: &str = "ma_list";
/// Iterator over all open files: takes drained sockets out of the SOCKHASH; writes one byte for each that remains.
/// This contract never changes: any version can retire any other by reading the pinned iterator.
pub const RETIRE: &str = "ma_retire";
/// Iterator over the TCP sockets of one namespace: finds, and records, connections older than the daemon.
pub const IMPORT: &str = "ma_import";
/// Iterator over the TCP sockets of one namespace: wakes the readers of sockets that were taken out.
pub const WAKE_READERS: &str = "ma_wake_readers";

/// Read-only global of the object: [`crate::redirect::Offsets`].
pub const OFFSETS_GLOBAL: &str = "OFFSETS";
