//! What differs from TCP although everything that can be recognised is recognised, and the kernel code that forces it (Linux
//! 6.18; net/ipv4/tcp_bpf.c, net/core/skmsg.c, net/ipv4/tcp.c).

/// Behaviours that differ for one reason.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The kernel function, and how it leads to the difference.
    pub why: &'static str,
    pub names: &'static [&'static str],
    /// They depend on when something wakes the reader: that one of them does not differ proves nothing.
    pub depends_on_timing: bool,
}

pub const KNOWN: &[Known] = &[
    Known {
        why: "tcp_bpf_recvmsg gives what the redirected queue holds and returns; it does not go on into TCP's queue, and tcp_bpf_ioctl counts the redirected queue only. Where a message had to take TCP behind unread redirected ones, a receive call is short and FIONREAD small once; the reader is then taken out of the SOCKHASH and woken.",
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
        names: &["zero_copy_receive"],
        depends_on_timing: false,
    },
    Known {
        why: "tcp_close sends a reset when its own receive queue is not empty; redirected bytes are not in it, so the end is a FIN.",
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
        names: &["reset_seen_by_a_send_first"],
        depends_on_timing: false,
    },
    Known {
        why: "The option was set when redirected bytes were waiting already; those are served without it, what is sent later takes TCP.",
        names: &["inquiry_set_while_bytes_wait", "low_water_set_while_bytes_wait", "peek_offset_set_while_bytes_wait"],
        depends_on_timing: false,
    },
    Known {
        why: "sk_msg_recvmsg gives what is there: bytes that were redirected before the descriptor was made blocking do not wait for the rest.",
        names: &["wait_all_begun_with_bytes_waiting"],
        depends_on_timing: false,
    },
    Known {
        why: "sk_msg_recvmsg copies whatever the flags say: MSG_TRUNC discards nothing, and writes into the buffer.",
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
        names: &["urgent_byte_after_waiting_bytes", "urgent_byte_never_read", "urgent_byte_of_nothing"],
        depends_on_timing: false,
    },
    Known {
        why: "tcp_bpf_recvmsg returns 0 at once when 0 bytes are asked for, and tcp_bpf_sendmsg looks at nothing when 0 bytes are sent.",
        names: &["peek_of_no_bytes", "receive_of_nothing", "send_nothing_after_shutting_down"],
        depends_on_timing: false,
    },
    Known {
        why: "tcp_bpf_sendmsg does not hand on the error of sk_msg_memcopy_from_iter and returns 0; sk_msg_recvmsg returns what it had copied before the bad address.",
        names: &["receive_partly_to_nowhere", "send_from_nowhere", "send_partly_from_nowhere"],
        depends_on_timing: false,
    },
    Known {
        why: "tcp_bpf_sendmsg does not read control messages.",
        names: &["message_with_unknown_control"],
        depends_on_timing: false,
    },
    Known {
        why: "tcp_bpf_recvmsg does not ask for TCP_REPAIR (a privileged option of checkpointing).",
        names: &["repair_mode_is_a_refusal_or_not"],
        depends_on_timing: false,
    },
    Known {
        why: "sock_replace_proto clears SOCK_SUPPORT_ZC, so io_uring's SEND_ZC answers EOPNOTSUPP.",
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
    use crate::conformance::topics;

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
