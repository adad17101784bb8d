//! What differs from TCP although everything that can be recognised is recognised, and the kernel code that forces it (Linux
//! 6.18; net/ipv4/tcp_bpf.c, net/core/skmsg.c, net/ipv4/tcp.c).

/// Behaviours that differ for one reason.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The kernel function, and how it leads to the difference.
    pub why: &'static str,
    /// What a program has to do to meet it, and who is known to.
    pub met_by: &'static str,
    pub names: &'static [&'static str],
    /// They depend on when something wakes the reader: that one of them does not differ proves nothing.
    pub depends_on_timing: bool,
}

pub const KNOWN: &[Known] = &[
    Known {
        why: "tcp_bpf_recvmsg gives what the redirected queue holds and returns; it does not go on into TCP's queue, and tcp_bpf_ioctl counts the redirected queue only. Where a message had to take TCP behind unread redirected ones, a receive call is short and FIONREAD small once; the reader is then taken out of the SOCKHASH and woken.",
        met_by: "Its peer sends more than may wait (a megabyte, or as much as TCP itself would hold), or asks for what only TCP does, while earlier bytes are unread. The next receive call is short, as TCP's are at any time; only who takes a short call for the end of what is there would notice, and is woken within milliseconds.",
        names: &[
            "count_is_what_a_receive_returns",
            "count_of_more_than_is_redirected",
            "more_without_a_last_one_is_counted",
            "read_after_everything_went_by_both_paths",
        ],
        depends_on_timing: true,
    },
    Known {
        why: "tcp_bpf_recvmsg waits once: tcp_msg_wait_data returns 0 after any wake-up without bytes, and the call ends with EAGAIN. Blocking descriptors are never promoted; this one turned blocking on a redirected connection, and leaves at the next pass.",
        met_by: "A descriptor that is made blocking for the first time on its port while a call of another thread is already waiting on it, or with no time to wait for it (the gate gives up after 50 milliseconds, or 3 where no daemon runs). Seen once, the port stays on TCP: gunicorn's gthread workers, JDBC drivers.",
        names: &[
            "a_reader_is_let_go_by_a_shutdown_of_reading",
            "blocking_receive_through_the_own_half_close",
            "blocking_receive_while_the_own_queue_empties",
            "signal_and_the_call_goes_on",
            "signal_and_wait_all_goes_on",
            "signal_ends_a_receive",
            "signal_ends_a_receive_with_a_time_out",
            "two_readers_and_the_end",
            "two_readers_are_let_go_by_a_shutdown",
            "two_readers_get_a_message_each",
        ],
        depends_on_timing: true,
    },
    Known {
        why: "tcp_splice_read looks at TCP's queue only. What was redirected before the first such call on a port is not seen by it; from that call on the port's readers get everything through TCP.",
        met_by: "The first splice(2), or sendfile-like call, of a port, on a connection that has been read by recv before and has redirected bytes unread at that moment. None of the servers and proxies of docs/stacks.md does. Who has one names its port in redirect.excludedPorts.",
        names: &[
            "splice_a_part_and_receive_the_rest",
            "splice_after_a_peek",
            "splice_after_a_reset",
            "splice_after_receives",
            "splice_at_the_end",
            "splice_large_both_ways",
            "splice_of_several_messages",
            "splice_through_to_the_own_peer",
            "splice_what_waits",
            "splice_when_poll_says_so",
            "file_from_a_socket",
        ],
        depends_on_timing: false,
    },
    Known {
        why: "do_tcp_getsockopt(TCP_ZEROCOPY_RECEIVE) looks at TCP's queue only.",
        met_by: "getsockopt(TCP_ZEROCOPY_RECEIVE) on a connection whose peer's messages were redirected: it answers that nothing can be mapped and how much to read by recv, as it may at any time. None of the programs of docs/stacks.md does.",
        names: &["zero_copy_receive"],
        depends_on_timing: false,
    },
    Known {
        why: "tcp_close sends a reset when its own receive queue is not empty; redirected bytes are not in it, so the end is a FIN.",
        met_by: "close(2) with bytes unread. Servers that refuse a request body do it, after an answer; the peer then reads the answer and the end instead of losing both to a reset. Who goes by the reset itself learns it at its next send.",
        names: &[
            "close_both_with_bytes_unread",
            "close_with_bytes_only_peeked",
            "close_with_bytes_partly_read",
            "close_with_bytes_unread",
            "close_with_bytes_unread_and_more_sent",
        ],
        depends_on_timing: false,
    },
    Known {
        why: "tcp_bpf_sendmsg reports sk_err and leaves it there. A socket that is reset leaves the SOCKHASH at once unless redirected bytes are still unread, as here.",
        met_by: "A peer that resets while redirected bytes are unread, and a sender that sends twice before it reads: both sends say ECONNRESET, where TCP says EPIPE the second time. Both end a connection.",
        names: &["reset_seen_by_a_send_first"],
        depends_on_timing: false,
    },
    Known {
        why: "The option was set when redirected bytes were waiting already; those are served without it, what is sent later takes TCP.",
        met_by: "setsockopt of SO_RCVLOWAT, SO_PEEK_OFF or TCP_INQ on a connection that has been read for a while, and with bytes unread. Servers set options when they accept.",
        names: &["inquiry_set_while_bytes_wait", "low_water_set_while_bytes_wait", "peek_offset_set_while_bytes_wait"],
        depends_on_timing: false,
    },
    Known {
        why: "sk_msg_recvmsg gives what is there: bytes that were redirected before the descriptor was made blocking do not wait for the rest.",
        met_by: "recv(MSG_WAITALL) on a descriptor that was made blocking with redirected bytes unread. Programs that wait for all are blocking from the beginning, and so never redirected to.",
        names: &["wait_all_begun_with_bytes_waiting"],
        depends_on_timing: false,
    },
    Known {
        why: "sk_msg_recvmsg copies whatever the flags say: MSG_TRUNC discards nothing, and writes into the buffer.",
        met_by: "recv(MSG_TRUNC) on TCP, which throws bytes away (iperf3 --skip-rx-copy; HAProxy, from connections that it closes), with redirected bytes unread. Where the kernel has fentry the call is seen before it looks, and the port is TCP's from then on; without unread bytes that first call is, too. Where it has not (lockdown), every call.",
        names: &[
            "peek_and_truncate",
            "receive_with_odd_flags",
            "truncate_at_the_end",
            "truncate_discards_and_writes_nothing",
            "truncate_more_than_there_is",
            "truncate_of_several_messages",
            "truncate_then_more",
            "truncate_without_a_buffer",
        ],
        depends_on_timing: false,
    },
    Known {
        why: "tcp_bpf_recvmsg does not look at MSG_OOB while redirected bytes wait, and answers EAGAIN instead of EINVAL when nothing does.",
        met_by: "recv(MSG_OOB), for urgent bytes: telnet, rlogin, FTP's ABOR. Seen, and ended, as MSG_TRUNC is. None of them is behind a sidecar that would forward an urgent byte: Envoy and linkerd-proxy do not.",
        names: &["urgent_byte_after_waiting_bytes", "urgent_byte_never_read", "urgent_byte_of_nothing"],
        depends_on_timing: false,
    },
    Known {
        why: "tcp_bpf_recvmsg returns 0 at once when 0 bytes are asked for, and tcp_bpf_sendmsg looks at nothing when 0 bytes are sent.",
        met_by: "recv or send of 0 bytes. The first is seen, and ended, as MSG_TRUNC is. As a test of life it says \"alive\" a moment longer than TCP does; who then uses the connection is told.",
        names: &["peek_of_no_bytes", "receive_of_nothing", "send_nothing_after_shutting_down"],
        depends_on_timing: false,
    },
    Known {
        why: "tcp_bpf_sendmsg does not hand on the error of sk_msg_memcopy_from_iter and returns 0; sk_msg_recvmsg returns what it had copied before the bad address.",
        met_by: "A buffer that is not the program's memory: a defect of the program, which then goes on with fewer bytes sent than it meant, or with 0 instead of EFAULT.",
        names: &["receive_partly_to_nowhere", "send_from_nowhere", "send_partly_from_nowhere"],
        depends_on_timing: false,
    },
    Known {
        why: "tcp_bpf_sendmsg does not read control messages.",
        met_by: "sendmsg with a control message that TCP refuses: a defect of the program.",
        names: &["message_with_unknown_control"],
        depends_on_timing: false,
    },
    Known {
        why: "tcp_bpf_recvmsg does not ask for TCP_REPAIR (a privileged option of checkpointing).",
        met_by: "Checkpointing (CRIU), which sets TCP_REPAIR with CAP_NET_ADMIN in the pod. It should be done with the pod switched off.",
        names: &["repair_mode_is_a_refusal_or_not"],
        depends_on_timing: false,
    },
    Known {
        why: "sock_replace_proto clears SOCK_SUPPORT_ZC, so io_uring's SEND_ZC answers EOPNOTSUPP.",
        met_by: "io_uring's SEND_ZC on a connection that was promoted. Libraries fall back to SEND, as on sockets that never could.",
        names: &["ring_sends_without_copying"],
        depends_on_timing: false,
    },
];

/// The entry of a behaviour.
pub fn find(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.names.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics;

    #[test]
    fn every_entry_says_who_meets_it() {
        assert!(KNOWN.iter().all(|known| known.met_by.len() > 40 && known.why.len() > 40));
    }

    #[test]
    fn every_name_is_a_behaviour_and_is_there_once() {
        let mut names: Vec<_> = KNOWN.iter().flat_map(|known| known.names).collect();
        let behaviours: Vec<_> = topics::all().iter().map(|behaviour| behaviour.name).collect();
        assert!(names.iter().all(|name| behaviours.contains(name)), "{names:?}");
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
