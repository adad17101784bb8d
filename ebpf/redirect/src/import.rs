//! Iterator over the TCP sockets of one network namespace: connections older than the daemon.
//!
//! Their initial sequence numbers can still be had: what was sent less what was acknowledged. But a socket does not tell
//! which end it is, and an active end's bytes_acked counts its SYN. So it takes two runs: the first writes a sample a
//! socket; user space pairs the samples and puts the identities into `ma_imported`; the second records those sockets.

use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_seq_write};
use meshaccel_abi::redirect::{Event, ImportSample};

use crate::iterator::TcpIterator;
use crate::maps::ma_imported;
use crate::record::{find, record_open};
use crate::socket::{Own, TCP_ESTABLISHED};
use crate::{counters, room};

#[unsafe(link_section = "iter/tcp")]
#[unsafe(no_mangle)]
pub fn ma_import(ctx: *mut TcpIterator) -> u32 {
    // SAFETY: a field of the context.
    let Some(own) = Own::new(unsafe { (*ctx).socket }) else { return 0 };
    if own.state() != TCP_ESTABLISHED {
        return 0;
    }
    let socket = own.pointer();
    if find(socket).is_some() {
        return 0;
    }
    // SAFETY: a socket pointer that the verifier knows.
    let socket_cookie = unsafe { bpf_get_socket_cookie(socket) };
    // SAFETY: the entry is written before the run starts and removed after it.
    if let Some(&id) = unsafe { ma_imported.get(socket_cookie) } {
        if let Some(policy) = record_open(socket, own, &own.key(own.netns_cookie(), socket_cookie), id) {
            room::make(socket, own, policy);
        }
        if find(socket).is_some() {
            counters::event(Event::Imported);
        }
        return 0;
    }
    let sample = ImportSample { socket_cookie, sent_base: own.sent_base(), received_base: own.received_base() };
    // SAFETY: fields of the context, and a sample on the stack.
    unsafe { bpf_seq_write((*(*ctx).meta).seq, (&raw const sample).cast(), size_of::<ImportSample>() as u32) };
    0
}
