//! Iterator over the records of ends: removes those whose socket is gone. Most are removed by sock_ops when the socket
//! closes; this finds the rest (adopted sockets have no such callback, and nobody listens while no program is attached).

use crate::counters;
use crate::iterator::EndIterator;
use crate::maps::ma_ends;
use crate::socket::{Other, TCP_CLOSE};
use meshaccel_abi::Event;

#[unsafe(link_section = "iter/bpf_map_elem")]
#[unsafe(no_mangle)]
pub fn ma_sweep(ctx: *mut EndIterator) -> u32 {
    // SAFETY: fields of the context; the verifier demands the null checks.
    let (key, record) = unsafe {
        let (key, value) = ((*ctx).key, (*ctx).value);
        if key.is_null() || value.is_null() {
            return 0;
        }
        (*key, &*value)
    };
    let socket = Other(record.socket);
    // TCP sockets are SLAB_TYPESAFE_BY_RCU: the address may hold another socket by now, which has another cookie.
    let alive = socket.cookie() == Some(record.key.socket_cookie) && socket.state() != Some(TCP_CLOSE);
    if !alive && ma_ends.remove(key).is_ok() {
        counters::event(Event::Swept);
    }
    0
}
