//! Looks up the offsets that the programs need.

use meshaccel_abi::{Calls, Offsets};

use super::btf::{Btf, BtfError};
use super::casts;

/// Offsets of the running kernel. What is no offset, and has to be tried, is 0: the safe assumption.
pub fn find(btf: &Btf) -> Result<Offsets, BtfError> {
    let common = |field| btf.offset("sock_common", field);
    let sock = |field| btf.offset("sock", field);
    let tcp = |field| btf.offset("tcp_sock", field);
    let flag = |name| btf.enumerator("sock_flags", name).map(|bit| 1u32 << bit);
    // TCP_NAGLE_CORK is the second bit of the field (include/net/tcp.h).
    let (nagle, nagle_off) = btf.bit_field("tcp_sock", "nonagle")?;
    let (queue_asked, queue_asked_bit) = btf.bit_field("tcp_sock", "recvmsg_inq")?;
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
        flags: common("skc_flags")?,
        stamps_received: flag("SOCK_RCVTSTAMP")? | flag("SOCK_TIMESTAMPING_RX_SOFTWARE")?,
        zero_copy: flag("SOCK_ZEROCOPY")?,
        peek_offset: sock("sk_peek_off")?,
        stamp_flags: sock("sk_tsflags")?,
        error: sock("sk_err")?,
        shutdown: sock("sk_shutdown")?,
        nagle,
        nagle_cork: nagle_off << 1,
        queue_asked,
        queue_asked_bit,
        upper_layer: btf.offset("inet_connection_sock", "icsk_ulp_ops")?,
        task_files: btf.offset("task_struct", "files")?,
        files_table: btf.offset("files_struct", "fdt")?,
        table_size: btf.offset("fdtable", "max_fds")?,
        table_descriptors: btf.offset("fdtable", "fd")?,
        file_private: btf.offset("file", "private_data")?,
        socket_sock: btf.offset("socket", "sk")?,
        protocol: sock("sk_protocol")?,
        calls: calls(btf)?,
        rmem_counts: 0,
        casts: casts::find(btf),
        splices_seen: 0,
        blocking_waits: 0,
    })
}

fn calls(btf: &Btf) -> Result<Calls, BtfError> {
    let register = |name| btf.offset("pt_regs", name);
    #[cfg(target_arch = "x86_64")]
    let (number, third, fourth, sixth) = (register("orig_ax")?, register("dx")?, register("r10")?, register("r9")?);
    #[cfg(target_arch = "aarch64")]
    let (number, third, fourth, sixth) =
        (register("syscallno")?, register("regs")? + 2 * 8, register("regs")? + 3 * 8, register("regs")? + 5 * 8);
    Ok(Calls {
        number,
        third,
        fourth,
        sixth,
        write: libc::SYS_write as u32,
        writev: libc::SYS_writev as u32,
        sendto: libc::SYS_sendto as u32,
        sendmsg: libc::SYS_sendmsg as u32,
        sendmmsg: libc::SYS_sendmmsg as u32,
        sendfile: libc::SYS_sendfile as u32,
        splice: libc::SYS_splice as u32,
    })
}
