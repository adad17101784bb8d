//! One recorded socket as people read it. Pure.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use meshaccel_abi::redirect::connection::{PEER_UNKNOWN, SIDE_EXCLUDED, SIDE_SIDECAR, STATE_CANDIDATE};
use meshaccel_abi::redirect::{ConnectionRow, Counter, Endpoint, Reason, Role};
use meshaccel_model::PodName;
use serde::Serialize;

/// Stands for the pod of a socket that is on its way out after its pod was released.
pub const NOT_SELECTED: &str = "(not selected)";

/// One end of a connection.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The pod it belongs to, or [`NOT_SELECTED`].
    pub pod: String,
    /// The pod of the other end, where that is recorded.
    pub peer_pod: Option<PodName>,
    /// This end, as the socket knows it.
    pub local: SocketAddr,
    /// The other end, as the socket knows it (before NAT).
    pub remote: SocketAddr,
    /// Did it connect (`active`) or was it accepted (`passive`)?
    pub role: &'static str,
    /// `app`, `sidecar` or `excluded`.
    pub side: &'static str,
    /// What the next message takes: `redirected` or `tcp`.
    pub path: &'static str,
    /// For how long it has been promoted, or recorded if it is not, in ms.
    pub since_ms: u64,
    /// What this end sent past the stack.
    pub redirected: Volume,
    /// What this end sent through TCP while it was promoted.
    pub passed: Volume,
    /// What TCP counted over the whole life of the socket.
    pub tcp: TcpVolume,
    /// Why it is not redirected.
    pub reason: Option<&'static str>,
    /// The same as a sentence.
    pub reason_text: Option<&'static str>,
    /// The other end is known.
    pub paired: bool,
    /// It is in the SOCKHASH.
    pub promoted: bool,
}

/// Messages and bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Volume {
    pub messages: u64,
    pub bytes: u64,
}

impl From<Counter> for Volume {
    fn from(counter: Counter) -> Self {
        Self { messages: counter.messages, bytes: counter.bytes }
    }
}

/// Bytes of both directions.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TcpVolume {
    pub sent_bytes: u64,
    pub received_bytes: u64,
}

/// What is known of a slot.
#[derive(Clone, Debug)]
pub struct Standing {
    pub pod: Option<PodName>,
    pub off: bool,
}

impl Row {
    /// From what the kernel wrote. `standing` knows slots by number and netns cookie.
    pub fn new(raw: &ConnectionRow, node_off: bool, standing: impl Fn(u32, u64) -> Standing) -> Self {
        let connection = &raw.connection;
        let promoted = connection.membership.state != STATE_CANDIDATE;
        let own = standing(connection.slot, connection.key.netns_cookie);
        let peer = if raw.peer_recorded != 0 {
            standing(raw.peer.slot, raw.peer.key.netns_cookie)
        } else {
            Standing { pod: None, off: false }
        };
        let reason = if node_off && promoted {
            Some(Reason::SwitchedOff)
        } else if (own.off || peer.off) && promoted {
            Some(Reason::PodSwitchedOff)
        } else if own.pod.is_none() && promoted {
            Some(Reason::NotEnforced)
        } else {
            reason(connection.reason, promoted)
        };
        let since = if promoted { connection.membership.promoted_at } else { connection.recorded_at };
        // An active end's count has its SYN in it.
        let active = connection.id.role == Role::Active as u32;
        Self {
            pod: own.pod.as_ref().map_or_else(|| NOT_SELECTED.to_owned(), ToString::to_string),
            peer_pod: peer.pod,
            local: address(&connection.key.local),
            remote: address(&connection.key.remote),
            role: if active { "active" } else { "passive" },
            side: match connection.side {
                SIDE_SIDECAR => "sidecar",
                SIDE_EXCLUDED => "excluded",
                _ => "app",
            },
            path: if promoted && reason.is_none() { "redirected" } else { "tcp" },
            since_ms: raw.now.saturating_sub(since) / 1_000_000,
            redirected: connection.sender.redirected.into(),
            passed: connection.sender.passed.into(),
            tcp: TcpVolume {
                sent_bytes: raw.tcp_sent.saturating_sub(u64::from(active)),
                received_bytes: raw.tcp_received,
            },
            reason: reason.map(Reason::as_str),
            reason_text: reason.map(Reason::sentence),
            paired: connection.peer.state != PEER_UNKNOWN || (raw.peer_recorded != 0 && promoted),
            promoted,
        }
    }
}

/// The reason that is written down, unless the last message was redirected. A promoted socket that was switched off or
/// not enforced a while ago, and has sent nothing since, still has that written down: its next message will be
/// redirected.
fn reason(number: u32, promoted: bool) -> Option<Reason> {
    match Reason::from_number(number) {
        Some(Reason::Redirected) => None,
        Some(Reason::SwitchedOff | Reason::PodSwitchedOff | Reason::NotEnforced | Reason::Candidate) if promoted => {
            None
        }
        other => other,
    }
}

fn address(endpoint: &Endpoint) -> SocketAddr {
    let v6 = Ipv6Addr::from(*endpoint.address());
    let ip = v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4);
    SocketAddr::new(ip, endpoint.port())
}

#[cfg(test)]
mod tests {
    use meshaccel_abi::redirect::connection::STATE_PROMOTED_LATE;

    use super::*;

    fn here(_: u32, _: u64) -> Standing {
        Standing { pod: Some(PodName { namespace: "shop".into(), name: "web".into() }), off: false }
    }

    fn raw(state: u32, reason: Reason) -> ConnectionRow {
        let mut raw = ConnectionRow { now: 5_000_000_000, ..ConnectionRow::default() };
        raw.connection.membership.state = state;
        raw.connection.reason = reason as u32;
        raw.connection.recorded_at = 1_000_000_000;
        raw.connection.membership.promoted_at = if state == STATE_CANDIDATE { 0 } else { 3_000_000_000 };
        raw.connection.key.local = Endpoint::v4([10, 0, 0, 1], 40000);
        raw
    }

    #[test]
    fn a_redirected_socket_has_no_reason() {
        let row = Row::new(&raw(STATE_PROMOTED_LATE, Reason::Redirected), false, here);
        assert_eq!((row.path, row.reason, row.since_ms), ("redirected", None, 2000));
        assert_eq!(row.local.to_string(), "10.0.0.1:40000");
    }

    #[test]
    fn a_candidate_says_what_it_waits_for() {
        let row = Row::new(&raw(STATE_CANDIDATE, Reason::Candidate), false, here);
        assert_eq!((row.path, row.reason, row.since_ms), ("tcp", Some("candidate"), 4000));
        assert!(row.reason_text.is_some_and(|text| text.contains("both directions")));
    }

    #[test]
    fn the_switch_shows_at_once_and_so_does_switching_on() {
        let redirected = raw(STATE_PROMOTED_LATE, Reason::Redirected);
        assert_eq!(Row::new(&redirected, true, here).reason, Some("switched_off"));
        let pod_off = |_: u32, _: u64| Standing { off: true, ..here(0, 0) };
        assert_eq!(Row::new(&redirected, false, pod_off).reason, Some("pod_switched_off"));
        let was_off = raw(STATE_PROMOTED_LATE, Reason::SwitchedOff);
        assert_eq!(Row::new(&was_off, false, here).path, "redirected");
    }
}
