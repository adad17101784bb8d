//! The context of sock_ops: the socket, who it is, and which end.

use core::ffi::c_void;
use core::ptr::read_volatile;

use aya_ebpf::helpers::generated::bpf_get_socket_cookie;
use aya_ebpf::programs::SockOpsContext;
use meshaccel_abi::redirect::{EndId, Role, SocketKey};

use crate::socket::Own;

#[inline(always)]
pub fn socket(ctx: &SockOpsContext) -> Option<(*mut c_void, Own)> {
    // SAFETY: a field of the context.
    let socket: *mut c_void = unsafe { (*ctx.ops).__bindgen_anon_2.sk.cast() };
    Some((socket, Own::new(socket)?))
}

/// Both first data sequence numbers. At ESTABLISHED nothing has been sent yet, so they are snd_nxt and rcv_nxt. (With
/// TCP Fast Open data comes earlier: then the two ends do not pair, and the connection stays on TCP.)
#[inline(always)]
pub fn identity(ctx: &SockOpsContext, role: Role) -> EndId {
    // SAFETY: fields of the context; volatile keeps the loads single and of the width that the verifier converts.
    let (sent, received) =
        unsafe { (read_volatile(&raw const (*ctx.ops).snd_nxt), read_volatile(&raw const (*ctx.ops).rcv_nxt)) };
    EndId::at(role, sent, received)
}

#[inline(always)]
pub fn key(ctx: &SockOpsContext, own: Own, netns_cookie: u64) -> SocketKey {
    // SAFETY: the context of this program.
    own.key(netns_cookie, unsafe { bpf_get_socket_cookie(ctx.ops.cast()) })
}
