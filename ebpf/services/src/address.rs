//! The address in the context of a call, of either family. IPv4 and the v4-mapped form are one to the maps.

use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::bindings::bpf_sock_addr;
use meshaccel_abi::services::address::mapped;
use meshaccel_abi::services::{Backend, Vip};

/// What the hooks of one family do differently.
pub trait Family {
    /// The words of the address.
    fn words(context: *mut bpf_sock_addr) -> [u32; 4];
    /// Puts another there. It has the form that this family can say: what was read and what is written are both IPv4, or both not.
    fn put(context: *mut bpf_sock_addr, address: &[u32; 4]);
}

/// The hooks of `AF_INET` addresses.
pub struct V4;
/// The hooks of `AF_INET6` addresses, v4-mapped ones among them.
pub struct V6;

impl Family for V4 {
    #[inline(always)]
    fn words(context: *mut bpf_sock_addr) -> [u32; 4] {
        // SAFETY: a field of the context; volatile keeps the loads of the width that the verifier converts.
        mapped(unsafe { read_volatile(&raw const (*context).user_ip4) })
    }
    #[inline(always)]
    fn put(context: *mut bpf_sock_addr, address: &[u32; 4]) {
        // SAFETY: as above.
        unsafe { write_volatile(&raw mut (*context).user_ip4, address[3]) }
    }
}

impl Family for V6 {
    #[inline(always)]
    fn words(context: *mut bpf_sock_addr) -> [u32; 4] {
        // SAFETY: as above.
        unsafe {
            [
                read_volatile(&raw const (*context).user_ip6[0]),
                read_volatile(&raw const (*context).user_ip6[1]),
                read_volatile(&raw const (*context).user_ip6[2]),
                read_volatile(&raw const (*context).user_ip6[3]),
            ]
        }
    }
    #[inline(always)]
    fn put(context: *mut bpf_sock_addr, address: &[u32; 4]) {
        // SAFETY: as above.
        unsafe {
            write_volatile(&raw mut (*context).user_ip6[0], address[0]);
            write_volatile(&raw mut (*context).user_ip6[1], address[1]);
            write_volatile(&raw mut (*context).user_ip6[2], address[2]);
            write_volatile(&raw mut (*context).user_ip6[3], address[3]);
        }
    }
}

#[inline(always)]
fn port(context: *mut bpf_sock_addr) -> u16 {
    // SAFETY: as above. The lower half has the two bytes, in network order.
    unsafe { read_volatile(&raw const (*context).user_port) as u16 }
}

/// What the call names, as a key of VIPs.
#[inline(always)]
pub fn named<F: Family>(context: *mut bpf_sock_addr, protocol: u8) -> Vip {
    Vip { address: F::words(context), port: port(context), protocol, zero: 0 }
}

/// The same as an endpoint.
#[inline(always)]
pub fn endpoint<F: Family>(context: *mut bpf_sock_addr) -> Backend {
    Backend { address: F::words(context), port: port(context), zero: 0 }
}

/// The call goes on as if it had named this.
#[inline(always)]
pub fn put<F: Family>(context: *mut bpf_sock_addr, address: &[u32; 4], port: u16) {
    F::put(context, address);
    // SAFETY: as above.
    unsafe { write_volatile(&raw mut (*context).user_port, port.into()) }
}

/// IPPROTO_TCP, IPPROTO_UDP, or another.
#[inline(always)]
pub fn protocol(context: *mut bpf_sock_addr) -> u8 {
    // SAFETY: as above.
    unsafe { read_volatile(&raw const (*context).protocol) as u8 }
}
