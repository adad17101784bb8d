//! Why a message, or a connection, takes the path it takes: one enum from the kernel's counter to the metric's label
//! to the sentence of the command line.

use crate::numbered::numbered;

/// Entries of the counter map: room for later reasons.
pub const REASON_CAPACITY: u32 = 64;

numbered! {
    /// Index into the counter map and label of `meshaccel_messages_total`. Numbers are never used again.
    Reason {
        /// The message went straight to the peer's receive queue.
        Redirected = 0 => "redirected", "redirected past the network stack";
        /// Not yet in the SOCKHASH.
        Candidate = 1 => "candidate", "waits for evidence: both directions must carry messages before it is worth redirecting";
        /// The other end is not recorded.
        Unpaired = 2 => "unpaired", "the other end is not in a selected pod of this node";
        /// Both ends belong to one pod, but not one to the sidecar and one to the application.
        NotAppToSidecar = 3 => "not_app_to_sidecar", "connects neither the application to its sidecar nor the sidecar to its application";
        /// The ends are in different pods and the scope is PodLocal (or one end is not a sidecar).
        OtherPod = 4 => "other_pod", "the other end is in another pod; set redirect.scope: NodeLocal to accelerate sidecar to sidecar";
        /// A port of either end is excluded.
        ExcludedPort = 5 => "excluded_port", "a port of this connection is listed in redirect.excludedPorts";
        /// The policy only observes.
        Observing = 6 => "observing", "mode is Observe: it would be redirected";
        /// The pod is not selected any more, or its policy has redirection off.
        NotEnforced = 7 => "not_enforced", "the pod is not selected, or redirect.enabled is false";
        /// The node-wide switch is off.
        SwitchedOff = 8 => "switched_off", "switched off on this node: `meshaccel-node on` brings it back";
        /// The switch of this end's or the peer's pod is off.
        PodSwitchedOff = 9 => "pod_switched_off", "switched off for this pod: `meshaccel-node on --pod` brings it back";
        /// The peer is not in the SOCKHASH.
        PeerNotPromoted = 10 => "peer_not_promoted", "the other end is not ready to receive redirected messages";
        /// The peer entered the SOCKHASH late, and no receive call of it has completed since.
        ReaderNotSeen = 11 => "reader_not_seen", "the reader may still wait on the TCP queue: redirects after its next read";
        /// Bytes sent through TCP are still unread.
        OrderBarrier = 12 => "order_barrier", "earlier bytes are still on their way through TCP: redirects when they are read";
        /// The byte budget of the peer is used up.
        ByteBudget = 13 => "byte_budget", "more would wait than redirect.limits.maxBytesInFlight or half of the receive buffer: TCP takes it, and its flow control holds the sender";
        /// The message budget of the peer is used up.
        MessageBudget = 14 => "message_budget", "the reader is behind by redirect.limits.maxMessagesInFlight: TCP's flow control holds the sender";
        /// The peer has left the SOCKHASH: it closed.
        PeerGone = 15 => "peer_gone", "the other end has closed";
        /// The peer's state could not be read.
        PeerUnreadable = 16 => "peer_unreadable", "the other end's state could not be read";
        /// A promoted socket has no storage: it was linked by an earlier version.
        NotRecorded = 17 => "not_recorded", "the socket was recorded by another version";
        /// The SOCKHASH was full when it was this socket's turn.
        SocketsFull = 18 => "sockets_full", "the table of accelerated sockets is full: raise --max-connections";
        /// Another program's sockmap holds the socket.
        InAnotherSockmap = 19 => "in_another_sockmap", "another program's sockmap holds the socket; it is left alone";
        /// The kernel refused the socket.
        PromotionRefused = 20 => "promotion_refused", "the kernel does not let this socket be redirected (MPTCP, kTLS, or no longer established)";
        /// The socket is on its way out of the SOCKHASH.
        Leaving = 21 => "leaving", "on its way back to plain TCP";
        /// The application receives large messages.
        TakesBulk = 22 => "takes_bulk", "the application receives large messages, which this kernel serves better over TCP";
        /// A descriptor of either end is blocking.
        BlockingReader = 23 => "blocking_reader", "a descriptor of this connection is blocking (no O_NONBLOCK), and this kernel may end a blocking receive call early on a redirected socket";
        /// The TCP path needs a message now and then.
        PathKeptAlive = 24 => "path_kept_alive", "takes TCP now and then, so that NAT on the way does not forget the connection";
        /// The send call, or the socket, asks for what only TCP does.
        SenderFlags = 25 => "sender_flags", "sent with MSG_MORE, MSG_OOB or MSG_ZEROCOPY, through a corked socket, or with time stamps or kTLS asked for: only TCP does that";
        /// The flags of the send call cannot be seen.
        SenderUnseen = 26 => "sender_unseen", "sent by a call whose flags cannot be seen (io_uring, the kernel itself)";
        /// This end has shut down its sending side.
        SenderClosed = 27 => "sender_closed", "sent after shutdown(2): TCP gives the error";
        /// The reader's socket has options that the redirected queue does not honour.
        ReaderOptions = 28 => "reader_options", "the reader has set SO_RCVLOWAT, SO_PEEK_OFF, SO_TIMESTAMP, TCP_INQ or kTLS, which this kernel does not honour on a redirected socket";
        /// The reader's socket, or another one of its port, was seen to be spliced from.
        ReaderSplices = 29 => "reader_splices", "the application reads this port's connections with splice(2), which does not see redirected bytes";
        /// The reader has turned to splice(2) while redirected bytes wait that splice will never see.
        SpliceTooLate = 30 => "splice_too_late", "refused: the reader has turned to splice(2) with redirected bytes unread; going on would lose them";
        /// Many small messages this way, none the other.
        OneWay = 31 => "one_way", "small messages in one direction only: TCP, which packs them together, is faster";
        /// Most messages had to pass: the reader is always behind.
        Backlogged = 32 => "backlogged", "its reader is behind most of the time, so that messages pass anyway: TCP alone is faster";
        /// The application was seen to ask how many bytes wait.
        ReaderAsks = 33 => "reader_asks", "the application asks how many bytes wait (FIONREAD), which this kernel answers wrongly for a redirected connection";
        /// The application may ask how many bytes wait, and this kernel would not count redirected ones.
        ReaderMayAsk = 34 => "reader_may_ask", "this kernel does not count redirected bytes for an application that asks how many wait (FIONREAD), so only a sidecar that is known not to ask is redirected to (of Istio or Linkerd)";
        /// The application was seen to make descriptors of this port blocking.
        TogglesBlocking = 35 => "toggles_blocking", "the application makes descriptors of this port blocking from time to time, and this kernel may end a blocking receive call early on a redirected socket";
        /// The application was seen to receive with flags that the redirected queue does not serve.
        ReaderFlags = 36 => "reader_flags", "the application receives from this port's connections with MSG_TRUNC or MSG_OOB, or 0 bytes, which only TCP serves rightly";
        /// This end has not acknowledged what came through TCP, and its sender's Nagle algorithm may hold the next message for that.
        OwesAcknowledgement = 37 => "owes_acknowledgement", "takes TCP once, to acknowledge what came that way: the other end's Nagle algorithm may wait for it";
        /// The connection is closed, and redirected bytes wait for a reader that has its descriptor still open.
        Closed = 38 => "closed", "closed: returns to plain TCP when the last redirected byte is read";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redirect::event::{EVENT_CAPACITY, Event};

    #[test]
    fn numbers_are_dense_and_fit_their_maps() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
            assert_eq!(Reason::from_number(index as u32), Some(*reason));
        }
        assert!(Reason::ALL.len() <= REASON_CAPACITY as usize && Event::ALL.len() <= EVENT_CAPACITY as usize);
        assert_eq!(Reason::from_number(Reason::ALL.len() as u32), None);
    }

    #[test]
    fn labels_are_unique_and_fit_a_metric() {
        let mut labels: Vec<_> = Reason::ALL.iter().map(|r| r.as_str()).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Reason::ALL.len());
        assert!(labels.iter().all(|l| l.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }
}
