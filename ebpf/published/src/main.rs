//! What the published sockmap bypasses do, for the benchmark to compare with; the daemon never ships it. sock_ops puts
//! each established socket in a SOCKHASH under its 4-tuple; sk_msg swaps the tuple and redirects to whoever is there.
//!
//! No guards: bytes can overtake one another, pile up without bound, or reach another pod's socket that has the same
//! tuple. Attach it to nothing but a cgroup of the benchmark's own processes.

#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![cfg_attr(not(target_arch = "bpf"), allow(dead_code, unused, reason = "only the BPF build has entry points"))]

use aya_ebpf::bindings::{
    BPF_F_INGRESS, BPF_NOEXIST, BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
};
use aya_ebpf::btf_maps::SockHash;
use aya_ebpf::helpers::generated::{bpf_msg_redirect_hash, bpf_sock_hash_update};
use aya_ebpf::macros::{btf_map, sk_msg, sock_ops};
use aya_ebpf::programs::{SkMsgContext, SockOpsContext};

meshaccel_programs::object!();

const AF_INET: u32 = 2;
/// `SK_PASS`
const SK_PASS: u32 = 1;

/// Addresses as they stand in the packet, ports as numbers.
#[repr(C)]
#[derive(Clone, Copy)]
struct Tuple {
    local: u32,
    remote: u32,
    local_port: u32,
    remote_port: u32,
}

/// The promoted sockets, of everybody.
#[expect(non_upper_case_globals, reason = "the name of the map, as bpftool shows it")]
#[btf_map]
static pub_sockets: SockHash<Tuple, 65_536> = SockHash::new();

/// The upper half of the context's word, which is in network order.
#[inline(always)]
fn port(remote: u32) -> u32 {
    u32::from(u16::from_be((remote >> 16) as u16))
}

#[sock_ops]
fn pub_sockops(ctx: SockOpsContext) -> u32 {
    let established = matches!(ctx.op(), BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB | BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB);
    if established && ctx.family() == AF_INET {
        let mut tuple = Tuple {
            local: ctx.local_ip4(),
            remote: ctx.remote_ip4(),
            local_port: ctx.local_port(),
            remote_port: port(ctx.remote_port()),
        };
        let (map, key) = (core::ptr::from_ref(&pub_sockets).cast_mut().cast(), (&raw mut tuple).cast());
        // SAFETY: the context of this program, a map, and a key on the stack.
        unsafe { bpf_sock_hash_update(ctx.ops, map, key, BPF_NOEXIST.into()) };
    }
    1
}

#[sk_msg]
fn pub_skmsg(ctx: SkMsgContext) -> u32 {
    // SAFETY: fields of the context; volatile keeps the loads of the width that the verifier converts.
    let mut peer = unsafe {
        Tuple {
            local: core::ptr::read_volatile(&raw const (*ctx.msg).remote_ip4),
            remote: core::ptr::read_volatile(&raw const (*ctx.msg).local_ip4),
            local_port: port(core::ptr::read_volatile(&raw const (*ctx.msg).remote_port)),
            remote_port: core::ptr::read_volatile(&raw const (*ctx.msg).local_port),
        }
    };
    let (map, key) = (core::ptr::from_ref(&pub_sockets).cast_mut().cast(), (&raw mut peer).cast());
    // SAFETY: the context of this program, a map, and a key on the stack.
    unsafe { bpf_msg_redirect_hash(ctx.msg, map, key, BPF_F_INGRESS.into()) };
    SK_PASS
}
