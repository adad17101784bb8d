//! Where the running kernel keeps the fields that the programs read, and how wide they are there. Rust has no CO-RE
//! relocations, so user space looks the [table](Offsets::FIELDS) up in the kernel's BTF and hands the result over as a
//! read-only global; the verifier then knows it as constants: it accepts direct loads from `bpf_skc_to_tcp_sock` at base +
//! constant, and it never looks at the branch that loads a width which this kernel's field does not have.
//!
//! A line of the table says all about a field: what programs call it, how they load it, which member of which structure it
//! is. It is the only place that says so: a load takes its width from the type here, the daemon its lookup and its check.

use bytemuck::{Pod, Zeroable};

use crate::field::{At, Bits, Field, Number, Place, Span};

/// From lines `name: how = "structure.member"`: the layout [`Offsets`], the table of all fields and the way to fill them in.
/// `|` separates names that a member has on different kernels or architectures; `or absent` allows it to be missing.
macro_rules! offsets {
    (
        fields { $(
            $(#[$comment:meta])*
            $field:ident: $place:ty = $($path:literal)|+ $(or $absent:ident)?;
        )* }
        others { $(
            $(#[$note:meta])*
            $other:ident: $type:ty,
        )* }
    ) => {
        /// Offsets are from the address of a `tcp_sock` (which is also the address of its `sock` and `sock_common`), or
        /// else of the structure that is named.
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
        pub struct Offsets {
            $(
                $(#[doc = concat!("`", $path, "`")])+
                $(#[$comment])*
                pub $field: $place,
            )*
            $( $(#[$note])* pub $other: $type, )*
        }

        impl Offsets {
            /// Nothing is known yet.
            // SAFETY: zeros are a value of it: `Zeroable` is derived.
            pub const NONE: Self = unsafe { core::mem::zeroed() };

            /// Every field that is loaded.
            pub const FIELDS: &[Field] = &[$( Field {
                name: stringify!($field),
                paths: &[$($path),+],
                width: <$place as Place>::WIDTH,
                optional: !concat!($(stringify!($absent))?).is_empty(),
            } ),*];

            /// All fields as `find` says, which has to have checked that each [fits](Field::fits). The rest is zero.
            ///
            /// # Errors
            /// The first that `find` gives: a field that this kernel lacks, or that is too wide for the programs.
            pub fn find<E>(mut find: impl FnMut(&Field) -> Result<Span, E>) -> Result<Self, E> {
                let mut fields = Self::FIELDS.iter();
                let mut next = || fields.next().map_or(Ok(Span::ABSENT), &mut find);
                Ok(Self { $( $field: Place::new(next()?), )* ..Self::NONE })
            }
        }
    };
}

offsets! {
    fields {
        cookie: At<u64> = "sock_common.skc_cookie";
        /// A pointer.
        net: At<u64> = "sock_common.skc_net";
        net_cookie: At<u64> = "net.net_cookie";
        state: At<u8> = "sock_common.skc_state";
        family: At<u16> = "sock_common.skc_family";
        /// Host order.
        local_port: At<u16> = "sock_common.skc_num";
        /// Network order.
        remote_port: At<u16> = "sock_common.skc_dport";
        local_v4: At<u32> = "sock_common.skc_rcv_saddr";
        remote_v4: At<u32> = "sock_common.skc_daddr";
        local_v6: At<[u8; 16]> = "sock_common.skc_v6_rcv_saddr";
        remote_v6: At<[u8; 16]> = "sock_common.skc_v6_daddr";
        uid: At<u32> = "sock.sk_uid";
        /// A pointer, with flags in the low bits.
        user_data: At<u64> = "sock.sk_user_data";
        rmem_alloc: At<u32> = "sock.sk_backlog.rmem_alloc";
        /// The address of the first message; of the list itself when there is none.
        psock_ingress: At<u64> = "sk_psock.ingress_msg.next";
        psock_refcnt: At<u32> = "sk_psock.refcnt";
        /// The address of the first link to a map; of the list itself when there is none.
        psock_link: At<u64> = "sk_psock.link.next";
        /// A pointer to a function; null: the socket's own is in its place.
        psock_saved_data_ready: At<u64> = "sk_psock.saved_data_ready";
        /// A pointer; 0: unknown.
        psock_stream_parser: At<u64> = "sk_psock.progs.stream_parser" | "sk_psock.progs.skb_parser" or absent;
        /// A pointer; 0: unknown.
        psock_stream_verdict: At<u64> = "sk_psock.progs.stream_verdict" or absent;
        /// A pointer; 0: unknown.
        psock_skb_verdict: At<u64> = "sk_psock.progs.skb_verdict" or absent;
        /// A pointer; 0: unknown.
        psock_msg_parser: At<u64> = "sk_psock.progs.msg_parser" or absent;
        write_seq: At<u32> = "tcp_sock.write_seq";
        copied_seq: At<u32> = "tcp_sock.copied_seq";
        snd_una: At<u32> = "tcp_sock.snd_una";
        rcv_nxt: At<u32> = "tcp_sock.rcv_nxt";
        rcv_wup: At<u32> = "tcp_sock.rcv_wup";
        bytes_acked: At<u64> = "tcp_sock.bytes_acked";
        bytes_received: At<u64> = "tcp_sock.bytes_received";
        data_segs_in: At<u32> = "tcp_sock.data_segs_in";
        data_segs_out: At<u32> = "tcp_sock.data_segs_out";
        rcvbuf: At<u32> = "sock.sk_rcvbuf";
        sndbuf: At<u32> = "sock.sk_sndbuf";
        /// SOCK_SNDBUF_LOCK (1), SOCK_RCVBUF_LOCK (2): set by the application.
        userlocks: Bits = "sock.sk_userlocks";
        rcvlowat: At<i32> = "sock.sk_rcvlowat";
        /// A pointer.
        socket: At<u64> = "sock.sk_socket";
        /// A pointer.
        socket_file: At<u64> = "socket.file";
        file_flags: At<u32> = "file.f_flags";
        /// A pointer.
        f_op: At<u64> = "file.f_op";
        flags: At<u64> = "sock_common.skc_flags";
        peek_offset: At<i32> = "sock.sk_peek_off";
        /// 16 bits up to Linux 6.1.
        stamp_flags: Number<2, 4> = "sock.sk_tsflags";
        error: At<i32> = "sock.sk_err";
        shutdown: Bits = "sock.sk_shutdown";
        nagle: Bits = "tcp_sock.nonagle";
        /// TCP_INQ
        queue_asked: Bits = "tcp_sock.recvmsg_inq";
        /// A pointer.
        upper_layer: At<u64> = "inet_connection_sock.icsk_ulp_ops";
        /// A pointer.
        task_files: At<u64> = "task_struct.files";
        /// A pointer.
        files_table: At<u64> = "files_struct.fdt";
        table_size: At<u32> = "fdtable.max_fds";
        /// A pointer to pointers.
        table_descriptors: At<u64> = "fdtable.fd";
        /// A pointer.
        file_private: At<u64> = "file.private_data";
        /// A pointer.
        socket_sock: At<u64> = "socket.sk";
        protocol: At<u16> = "sock.sk_protocol";
        /// The number of a task's system call. amd64; arm64, where it is an int.
        call_number: Number<4, 8> = "pt_regs.orig_ax" | "pt_regs.syscallno";
        /// The call's third argument.
        call_third: At<u64> = "pt_regs.dx" | "pt_regs.regs[2]";
        /// The call's fourth argument.
        call_fourth: At<u64> = "pt_regs.r10" | "pt_regs.regs[3]";
        /// The call's sixth argument.
        call_sixth: At<u64> = "pt_regs.r9" | "pt_regs.regs[5]";
    }
    others {
        /// Bits of `skc_flags`, from `enum sock_flags`: SOCK_RCVTSTAMP and SOCK_TIMESTAMPING_RX_SOFTWARE.
        stamps_received: u32,
        /// Bit of `skc_flags`: SOCK_ZEROCOPY.
        zero_copy: u32,
        /// Numbers of the system calls that send.
        calls: Calls,
        /// 1 when redirected bytes count in `rmem_alloc` on this kernel (Linux 6.13, and stable backports).
        rmem_counts: u32,
        /// The [`crate::redirect::habit`] bits that are seen when an application takes to them.
        habits_seen: u32,
        /// [`FIONREAD_BOTH`] and the like.
        fionread: u32,
        /// 1 when a blocking receive call on a socket in a SOCKHASH waits on after a wake-up without bytes.
        blocking_waits: u32,
        /// Number of the kernel function bpf_rdonly_cast where the programs may read other sockets by it, see
        /// [`crate::CAST`]; 0: they read by bpf_probe_read_kernel.
        casts: u32,
        /// 1 where a program that sets SO_RCVLOWAT wakes the reader (Linux 6.1); else the daemon does.
        wakes: u32,
        /// 1 where a program may loop for a while (bpf_loop, Linux 5.17), and so wait.
        loops: u32,
    }
}

/// FIONREAD counts both queues of a socket in a SOCKHASH.
pub const FIONREAD_BOTH: u32 = 1;
/// It counts redirected bytes only: what comes through TCP is not seen as long as the socket is there.
pub const FIONREAD_REDIRECTED: u32 = 2;
/// It counts TCP's bytes only, or is wrong in another way. Also what is assumed before it was tried.
pub const FIONREAD_TCP: u32 = 0;

/// System calls that send, on this architecture.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Calls {
    /// The number of write(2).
    pub write: u32,
    /// The number of writev(2).
    pub writev: u32,
    /// The number of sendto(2).
    pub sendto: u32,
    /// The number of sendmsg(2).
    pub sendmsg: u32,
    /// The number of sendmmsg(2).
    pub sendmmsg: u32,
    /// The number of sendfile(2).
    pub sendfile: u32,
    /// The number of splice(2).
    pub splice: u32,
}
