//! Looks up the offsets that the programs need.

use meshaccel_abi::Offsets;

use super::btf::{Btf, BtfError};

/// Offsets of the running kernel. What is no offset, and has to be tried, is 0: the safe assumption.
pub fn find(btf: &Btf) -> Result<Offsets, BtfError> {
    let common = |field| btf.offset("sock_common", field);
    let sock = |field| btf.offset("sock", field);
    let tcp = |field| btf.offset("tcp_sock", field);
    Ok(Offsets {
        cookie: common("skc_cookie")?,
        net: common("skc_net")?,
        net_cookie: btf.offset("net", "net_cookie")?,
        state: common("skc_state")?,
        family: common("skc_family")?,
        local_port: common("skc_num")?,
        remote_port: common("skc_dport")?,
        local_v4: common("skc_rcv_saddr")?,
        remote_v4: common("skc_daddr")?,
        local_v6: common("skc_v6_rcv_saddr")?,
        remote_v6: common("skc_v6_daddr")?,
        uid: sock("sk_uid")?,
        user_data: sock("sk_user_data")?,
        rmem_alloc: sock("sk_backlog.rmem_alloc")?,
        psock_ingress: btf.offset("sk_psock", "ingress_msg")?,
        write_seq: tcp("write_seq")?,
        copied_seq: tcp("copied_seq")?,
        snd_una: tcp("snd_una")?,
        rcv_nxt: tcp("rcv_nxt")?,
        bytes_acked: tcp("bytes_acked")?,
        bytes_received: tcp("bytes_received")?,
        data_segs_in: tcp("data_segs_in")?,
        data_segs_out: tcp("data_segs_out")?,
        socket: sock("sk_socket")?,
        socket_file: btf.offset("socket", "file")?,
        file_flags: btf.offset("file", "f_flags")?,
        rcvbuf: sock("sk_rcvbuf")?,
        rcvlowat: sock("sk_rcvlowat")?,
        rmem_counts: 0,
        blocking_waits: 0,
    })
}
