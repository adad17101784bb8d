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
    /// Not an offset: 1 when redirected bytes count in `rmem_alloc` on this kernel (Linux 6.13, and stable backports).
    pub rmem_counts: u32,
    /// Not an offset: 1 when a blocking receive call on a socket in a SOCKHASH waits on after a wake-up without bytes.
    pub blocking_waits: u32,
}
