//! Why a connection or datagram took the path it took.

use crate::numbered::numbered;

/// Entries of the counter map: room for later reasons.
pub const REASON_CAPACITY: u32 = 32;

numbered! {
    /// Index into the counter map and label of `meshaccel_service_calls_total`. Numbers are never used again.
    Reason {
        /// connect(2) of TCP.
        Connected = 0 => "connected", "connections that went to an endpoint of their Service at once";
        /// connect(2) of UDP.
        ConnectedUdp = 1 => "connected_udp", "UDP sockets that were connected to an endpoint of their Service";
        /// A datagram with an address.
        Sent = 2 => "sent", "datagrams that went to an endpoint of their Service at once";
        /// A datagram from an endpoint, told as one of the VIP.
        Answered = 3 => "answered", "datagrams that name the Service they were sent to, not the endpoint that answered";
        /// ECONNREFUSED.
        Refused = 4 => "refused", "connections refused since their Service has no endpoint";
        /// The Service has none, and the protocol is not TCP.
        NoEndpoint = 5 => "no_endpoint", "datagrams left to kube-proxy since their Service has no endpoint";
        /// A traffic policy is Local.
        NoLocalEndpoint = 6 => "no_local_endpoint", "left to kube-proxy, which drops it: a traffic policy is Local, and no endpoint is on this node";
        /// The sidecar takes it.
        Sidecar = 7 => "sidecar", "left as it is for the sidecar, which routes by the Service's address";
        /// This kernel cannot refuse with an errno.
        CannotRefuse = 8 => "cannot_refuse", "connections to Services without an endpoint left to kube-proxy to refuse: this kernel cannot (before Linux 5.18)";
        /// The table of connections is full, or the pod's share of it.
        RecordsFull = 9 => "records_full", "connections left to kube-proxy since the table of connections, or the pod's share of it, is full: raise --max-service-connections";
        /// One socket uses many Services at once.
        FlowsFull = 10 => "flows_full", "datagrams left to kube-proxy since one socket sends to more Services at once than can be told apart";
        /// Two VIPs with one endpoint.
        Ambiguous = 11 => "ambiguous", "datagrams left to kube-proxy since the same socket awaits answers of the same endpoint for another address";
        /// No socket storage.
        StorageFailed = 12 => "storage_failed", "left to kube-proxy since the kernel gave no socket storage";
        /// The set of endpoints was not found.
        Changed = 13 => "changed", "left to kube-proxy since the Service changed meanwhile";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense_and_fit_their_map() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
            assert_eq!(Reason::from_number(index as u32), Some(*reason));
        }
        assert!(Reason::ALL.len() <= REASON_CAPACITY as usize);
    }
}
