//! Other layers that are asked for on a live connection: TLS in the kernel, programs of others, memory mapping.

use anyhow::Result;

use crate::Who::{self, Receiver, Sender};
use crate::options::TCP_ULP;
use crate::{behaviours, names, sys, Session};

behaviours! {
    "tcp(7) TCP_ULP":
        kernel_tls_asked_for,
        kernel_tls_asked_for_with_bytes_waiting,
        unknown_layer_asked_for;
    "mmap(2)":
        memory_mapping_of_a_socket,
        zero_copy_receive;
    "setsockopt(2) SO_ATTACH_FILTER":
        filter_attached_and_detached;
}

fn ask_for_layer(session: &mut Session, who: Who, name: &str) {
    let mut value = [0u8; 16];
    value[..name.len()].copy_from_slice(name.as_bytes());
    let set = sys::set(session.fd(who), TCP_ULP.level, TCP_ULP.number, &value);
    let now = sys::get(session.fd(who), TCP_ULP.level, TCP_ULP.number, [0u8; 16]);
    let now = now.map(|(name, size)| names::bytes(&name[..size.min(16)]));
    session.tell(who, format_args!("asks for {name} -> {}, has {}", names::answer(set), names::answer(now)));
}

fn kernel_tls_asked_for(session: &mut Session) -> Result<()> {
    ask_for_layer(session, Receiver, "tls");
    ask_for_layer(session, Sender, "tls");
    session.exchange();
    Ok(())
}

fn kernel_tls_asked_for_with_bytes_waiting(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "hello ", 0);
    ask_for_layer(session, Receiver, "tls");
    let _ = session.send(Sender, "finished", 0);
    session.receive(Receiver, 100, 0);
    session.exchange();
    Ok(())
}

fn unknown_layer_asked_for(session: &mut Session) -> Result<()> {
    ask_for_layer(session, Sender, "nonsense");
    ask_for_layer(session, Sender, "");
    session.exchange();
    Ok(())
}

/// TCP gives addresses for TCP_ZEROCOPY_RECEIVE.
fn memory_mapping_of_a_socket(session: &mut Session) -> Result<()> {
    for (protection, name) in [(libc::PROT_READ, "read"), (libc::PROT_READ | libc::PROT_WRITE, "read and write")] {
        let mapped = sys::map(session.fd(Receiver), 8192, protection).map(|_| "mapped");
        session.tell(Receiver, format_args!("mmap to {name} -> {}", names::answer(mapped)));
    }
    session.exchange();
    Ok(())
}

fn zero_copy_receive(session: &mut Session) -> Result<()> {
    session.write(Sender, 3 * 4096);
    match sys::map(session.fd(Receiver), 4 * 4096, libc::PROT_READ) {
        Ok(mapping) => {
            // struct tcp_zerocopy_receive: address, length, recv_skip_hint.
            let mut request = [0u8; 16];
            request[..8].copy_from_slice(&(mapping.address() as u64).to_ne_bytes());
            request[8..12].copy_from_slice(&(4u32 * 4096).to_ne_bytes());
            let answer = sys::get(session.fd(Receiver), libc::IPPROTO_TCP, libc::TCP_ZEROCOPY_RECEIVE, request);
            let shown = answer.map(|(reply, _)| {
                let word = |at: usize| u32::from_ne_bytes(reply[at..at + 4].try_into().unwrap_or_default());
                format!("{} mapped, {} to be copied", word(8), word(12))
            });
            session.tell(Receiver, format_args!("TCP_ZEROCOPY_RECEIVE -> {}", names::answer(shown)));
        }
        Err(error) => session.tell(Receiver, format_args!("mmap -> {error:?}")),
    }
    session.drain(Receiver);
    Ok(())
}

/// A filter that accepts everything: on a stream it sees packets, and redirected messages are none.
fn filter_attached_and_detached(session: &mut Session) -> Result<()> {
    // BPF_RET | BPF_K: the whole packet.
    let mut code = [libc::sock_filter { code: 6, jt: 0, jf: 0, k: u32::MAX }];
    let program = libc::sock_fprog { len: 1, filter: code.as_mut_ptr() };
    let attached = sys::set(session.fd(Receiver), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program);
    session.note(format!("attach -> {}", names::answer(attached)));
    session.exchange();
    let detached = sys::set(session.fd(Receiver), libc::SOL_SOCKET, libc::SO_DETACH_FILTER, &0i32);
    session.note(format!("detach -> {}", names::answer(detached)));
    session.exchange();
    Ok(())
}
