//! Where the running kernel keeps the fields that the programs read. Rust has no CO-RE relocations, so user space looks
//! the offsets up in the kernel's BTF and hands them over as a read-only global; the verifier then knows them as
//! constants and accepts direct loads from `bpf_skc_to_tcp_sock` at base + constant.

use bytemuck::{Pod, Zeroable};

/// Byte offsets from the address of a `tcp_sock` (which is also the address of its `sock` and `sock_common`), unless
/// a field says otherwise.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Offsets {
    /// `sock_common.skc_cookie`
    pub cookie: u32,
    /// `sock_common.skc_net`, a pointer
    pub net: u32,
    /// `net.net_cookie`, from the address of the `net`
    pub net_cookie: u32,
    /// `sock_common.skc_state`
    pub state: u32,
    /// `sock_common.skc_family`
    pub family: u32,
    /// `sock_common.skc_num`, host order
    pub local_port: u32,
    /// `sock_common.skc_dport`, network order
    pub remote_port: u32,
    /// `sock_common.skc_rcv_saddr`
    pub local_v4: u32,
    /// `sock_common.skc_daddr`
    pub remote_v4: u32,
    /// `sock_common.skc_v6_rcv_saddr`
    pub local_v6: u32,
    /// `sock_common.skc_v6_daddr`
    pub remote_v6: u32,
    /// `sock.sk_uid`
    pub uid: u32,
    /// `sock.sk_user_data`, a pointer
    pub user_data: u32,
    /// `sock.sk_backlog.rmem_alloc`
    pub rmem_alloc: u32,
    /// `sk_psock.ingress_msg`, from the address of the `sk_psock`
    pub psock_ingress: u32,
    /// `tcp_sock.write_seq`
    pub write_seq: u32,
    /// `tcp_sock.copied_seq`
    pub copied_seq: u32,
    /// `tcp_sock.snd_una`
    pub snd_una: u32,
    /// `tcp_sock.rcv_nxt`
    pub rcv_nxt: u32,
    /// `tcp_sock.bytes_acked`
    pub bytes_acked: u32,
    /// `tcp_sock.bytes_received`
    pub bytes_received: u32,
    /// `tcp_sock.data_segs_in`
    pub data_segs_in: u32,
    /// `tcp_sock.data_segs_out`
    pub data_segs_out: u32,
    /// `sock.sk_rcvbuf`
    pub rcvbuf: u32,
    /// `sock.sk_rcvlowat`
    pub rcvlowat: u32,
    /// `sock.sk_socket`, a pointer
    pub socket: u32,
    /// `socket.file`, a pointer, from the address of the `socket`
    pub socket_file: u32,
    /// `file.f_flags`, from the address of the `file`
    pub file_flags: u32,
    /// `sock_common.skc_flags`
    pub flags: u32,
    /// Bits of `skc_flags`, from `enum sock_flags`: SOCK_RCVTSTAMP and SOCK_TIMESTAMPING_RX_SOFTWARE.
    pub stamps_received: u32,
    /// Bit of `skc_flags`: SOCK_ZEROCOPY.
    pub zero_copy: u32,
    /// `sock.sk_peek_off`
    pub peek_offset: u32,
    /// `sock.sk_tsflags`
    pub stamp_flags: u32,
    /// `sock.sk_err`
    pub error: u32,
    /// `sock.sk_shutdown`
    pub shutdown: u32,
    /// Byte of `tcp_sock.nonagle`, and the bit in it that is TCP_NAGLE_CORK
    pub nagle: u32,
    pub nagle_cork: u32,
    /// Byte of `tcp_sock.recvmsg_inq` (TCP_INQ), and its bit
    pub queue_asked: u32,
    pub queue_asked_bit: u32,
    /// `inet_connection_sock.icsk_ulp_ops`, a pointer
    pub upper_layer: u32,
    /// `task_struct.files`, a pointer
    pub task_files: u32,
    /// `files_struct.fdt`, a pointer
    pub files_table: u32,
    /// `fdtable.max_fds`
    pub table_size: u32,
    /// `fdtable.fd`, a pointer to pointers
    pub table_descriptors: u32,
    /// `file.private_data`, a pointer
    pub file_private: u32,
    /// `socket.sk`, a pointer
    pub socket_sock: u32,
    /// `sock.sk_protocol`
    pub protocol: u32,
    /// Where a task's registers hold its system call, and the numbers of those that send.
    pub calls: Calls,
    /// Not an offset: 1 when redirected bytes count in `rmem_alloc` on this kernel (Linux 6.13, and stable backports).
    pub rmem_counts: u32,
    /// Not an offset: 1 when the calls of splice(2) are seen.
    pub splices_seen: u32,
    /// Not an offset: 1 when a blocking receive call on a socket in a SOCKHASH waits on after a wake-up without bytes.
    pub blocking_waits: u32,
    /// Not an offset: number of the kernel function bpf_rdonly_cast where the programs may read other sockets by it, see
    /// [`crate::names::CAST`]; 0: they read by bpf_probe_read_kernel.
    pub casts: u32,
}

/// System calls that send, on this architecture.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Calls {
    /// `pt_regs`: the number of the system call
    pub number: u32,
    /// `pt_regs`: its third argument
    pub third: u32,
    /// `pt_regs`: its fourth argument
    pub fourth: u32,
    /// `pt_regs`: its sixth argument
    pub sixth: u32,
    pub write: u32,
    pub writev: u32,
    pub sendto: u32,
    pub sendmsg: u32,
    pub sendmmsg: u32,
    pub sendfile: u32,
    pub splice: u32,
}
