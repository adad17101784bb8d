//! What happens to connections, counted.

use crate::numbered::numbered;

/// Entries of the event map: room for later events.
pub const EVENT_CAPACITY: u32 = 32;

numbered! {
    /// Index into the event map and label of `meshaccel_events_total`. Numbers are never used again.
    Event {
        /// sock_ops or importing recorded a socket.
        Recorded = 0 => "recorded", "sockets recorded";
        /// A socket found its peer.
        Paired = 1 => "paired", "sockets paired with their peer";
        /// A socket entered the SOCKHASH at ESTABLISHED.
        PromotedEarly = 2 => "promoted_early", "sockets promoted at establishment";
        /// A socket entered the SOCKHASH later.
        PromotedLate = 3 => "promoted_late", "sockets promoted on evidence";
        /// A socket left the SOCKHASH while it was open.
        Retired = 4 => "retired", "sockets taken back to plain TCP";
        /// A recorded socket was closed.
        Closed = 5 => "closed", "recorded sockets closed";
        /// The table of ends was full; the connection stays on TCP.
        EndsFull = 6 => "ends_full", "connections not recorded because the table of ends was full";
        /// Socket storage could not be had; the connection stays on TCP.
        StorageFailed = 7 => "storage_failed", "connections not recorded because the kernel gave no socket storage";
        /// The SOCKHASH was full; the connection stays on TCP.
        SocketsFull = 8 => "sockets_full", "promotions refused because the SOCKHASH was full";
        /// The socket is in another sockmap with a verdict program.
        InAnotherSockmap = 9 => "in_another_sockmap", "promotions refused because another program's sockmap holds the socket";
        /// The kernel refused the socket for another reason (ULP, MPTCP, closing).
        PromotionRefused = 10 => "promotion_refused", "promotions refused by the kernel (MPTCP, kTLS, or no longer established)";
        /// A connection older than the daemon was recorded.
        Imported = 11 => "imported", "sockets recorded that were open before the daemon started";
        /// A record whose socket was gone was removed.
        Swept = 12 => "swept", "stale records removed";
        /// A socket left the SOCKHASH while TCP's bytes waited unread at it: its reader was woken.
        Rescued = 13 => "rescued", "sockets taken back to plain TCP while bytes waited unread in the TCP queue";
        /// A port of a selected pod was seen for the first time to be read with splice(2).
        SpliceSeen = 14 => "splice_seen", "ports of selected pods whose application read with splice(2)";
        /// Not recorded: connections of its port are short.
        NotRecorded = 15 => "not_recorded", "connections not recorded at first because connections of their port are short";
        /// A port of a selected pod was seen for the first time to ask how many bytes wait.
        AskSeen = 16 => "ask_seen", "ports of selected pods whose application asked how many bytes wait (FIONREAD)";
        /// A port of a selected pod was seen for the first time to make a descriptor blocking.
        ToggleSeen = 17 => "toggle_seen", "ports of selected pods whose application made a descriptor blocking on an open connection";
        /// The pod has its share of the table of ends; the connection stays on TCP.
        PodFull = 18 => "pod_full", "connections not recorded because their pod has as many records as are left for all others";
        /// A port of a selected pod was seen for the first time to be received from with flags that only TCP serves.
        FlagsSeen = 19 => "flags_seen", "ports of selected pods whose application received with MSG_TRUNC or MSG_OOB, or 0 bytes";
    }
}
