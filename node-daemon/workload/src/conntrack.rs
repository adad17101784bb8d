//! How often a connection must send something through TCP so that no conntrack on its way forgets it.
//!
//! Conntrack sees only what takes TCP. An entry that runs out takes the NAT with it: neither data nor FIN gets through any more.
//! Which time-out counts is the state's, as nf_conntrack_proto_tcp.c has it:
//!
//! * *established*; but *unacknowledged* while data has been seen and its ACK has not, and *max_retrans* after retransmissions or
//!   with a window of zero. Each is what an open connection may stand still in.
//! * After the first FIN *fin_wait*, and with its ACK *close_wait*: here a half-closed connection stays for as long as its other
//!   direction sends. A FIN that is sent twice is taken for the second end's (FW, CW + FIN -> *last_ack*), and the next ACK for
//!   the last (-> *time_wait*), though one direction goes on: so these count, too.
//!
//! Not counted: *close*, after a RST, and the states before ESTABLISHED: nothing is redirected then.

use std::time::Duration;

use meshaccel_model::KeepAlive;

const OPEN: [&str; 3] = ["established", "unacknowledged", "max_retrans"];
const HALF_CLOSED: [&str; 4] = ["fin_wait", "close_wait", "last_ack", "time_wait"];

/// For the network namespace of the calling thread: /proc/sys/net shows that one.
pub fn keep_alive_here() -> KeepAlive {
    of(|state| {
        // Without conntrack there is no such file.
        let path = format!("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_{state}");
        std::fs::read_to_string(path).ok()?.trim().parse().ok()
    })
}

fn of(timeout: impl Fn(&str) -> Option<u64>) -> KeepAlive {
    let smallest = |states: &[&str], limit: Duration| {
        let timeouts = states.iter().filter_map(|state| Some(Duration::from_secs(timeout(state)?) / 4));
        timeouts.fold(limit, Duration::min)
    };
    let open = smallest(&OPEN, KeepAlive::NONE.open);
    // The time-outs of open ones bound it, too: conntrack takes the smaller one.
    KeepAlive { open, half_closed: smallest(&HALF_CLOSED, open) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_time_out_of_a_state_counts() {
        let seconds = Duration::from_secs_f64;
        // What Linux begins with.
        let usual = [
            ("established", 432_000),
            ("unacknowledged", 300),
            ("max_retrans", 300),
            ("fin_wait", 120),
            ("close_wait", 60),
            ("last_ack", 30),
            ("time_wait", 120),
            ("close", 10),
            ("syn_recv", 1),
        ];
        let with = |changed: &str, to: u64| {
            of(|state| {
                let (_, timeout) = usual.iter().find(|(name, _)| *name == state)?;
                Some(if state == changed { to } else { *timeout })
            })
        };
        assert_eq!(with("", 0), KeepAlive { open: seconds(60.0), half_closed: seconds(7.5) });
        for state in OPEN {
            assert_eq!(with(state, 4), KeepAlive { open: seconds(1.0), half_closed: seconds(1.0) }, "{state}");
        }
        for state in HALF_CLOSED {
            assert_eq!(with(state, 4), KeepAlive { open: seconds(60.0), half_closed: seconds(1.0) }, "{state}");
        }
        assert_eq!(of(|_| None), KeepAlive::NONE);
        assert_eq!(KeepAlive::NONE.min(with("established", 8)).open, seconds(2.0));
    }
}
