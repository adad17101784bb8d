//! Other layers that are asked for on a live connection: TLS in the kernel, programs of others, memory mapping.

use anyhow::Result;

use crate::Who::{self, Receiver, Sender};
use crate::options::TCP_ULP;
use crate::{behaviours, names, sys, Scene};

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

fn ask_for_layer(scene: &mut Scene, who: Who, name: &str) {
    let mut value = [0u8; 16];
    value[..name.len()].copy_from_slice(name.as_bytes());
    let set = sys::set(scene.fd(who), TCP_ULP.level, TCP_ULP.number, &value);
    let now = sys::get(scene.fd(who), TCP_ULP.level, TCP_ULP.number, [0u8; 16]);
    let now = now.map(|(name, size)| names::bytes(&name[..size.min(16)]));
    scene.tell(who, format_args!("asks for {name} -> {}, has {}", names::answer(set), names::answer(now)));
}

fn kernel_tls_asked_for(scene: &mut Scene) -> Result<()> {
    ask_for_layer(scene, Receiver, "tls");
    ask_for_layer(scene, Sender, "tls");
    scene.exchange();
    Ok(())
}

fn kernel_tls_asked_for_with_bytes_waiting(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "hello ", 0);
    ask_for_layer(scene, Receiver, "tls");
    let _ = scene.send(Sender, "finished", 0);
    scene.receive(Receiver, 100, 0);
    scene.exchange();
    Ok(())
}

fn unknown_layer_asked_for(scene: &mut Scene) -> Result<()> {
    ask_for_layer(scene, Sender, "nonsense");
    ask_for_layer(scene, Sender, "");
    scene.exchange();
    Ok(())
}

/// TCP gives addresses for TCP_ZEROCOPY_RECEIVE.
fn memory_mapping_of_a_socket(scene: &mut Scene) -> Result<()> {
    for (protection, name) in [(libc::PROT_READ, "read"), (libc::PROT_READ | libc::PROT_WRITE, "read and write")] {
        let mapped = sys::map(scene.fd(Receiver), 8192, protection).map(|_| "mapped");
        scene.tell(Receiver, format_args!("mmap to {name} -> {}", names::answer(mapped)));
    }
    scene.exchange();
    Ok(())
}

fn zero_copy_receive(scene: &mut Scene) -> Result<()> {
    scene.write(Sender, 3 * 4096);
    match sys::map(scene.fd(Receiver), 4 * 4096, libc::PROT_READ) {
        Ok(mapping) => {
            // struct tcp_zerocopy_receive: address, length, recv_skip_hint.
            let mut request = [0u8; 16];
            request[..8].copy_from_slice(&(mapping.address() as u64).to_ne_bytes());
            request[8..12].copy_from_slice(&(4u32 * 4096).to_ne_bytes());
            let answer = sys::get(scene.fd(Receiver), libc::IPPROTO_TCP, libc::TCP_ZEROCOPY_RECEIVE, request);
            let shown = answer.map(|(reply, _)| {
                let word = |at: usize| u32::from_ne_bytes(reply[at..at + 4].try_into().unwrap_or_default());
                format!("{} mapped, {} to be copied", word(8), word(12))
            });
            scene.tell(Receiver, format_args!("TCP_ZEROCOPY_RECEIVE -> {}", names::answer(shown)));
        }
        Err(error) => scene.tell(Receiver, format_args!("mmap -> {error:?}")),
    }
    scene.drain(Receiver);
    Ok(())
}

/// A filter that accepts everything: on a stream it sees packets, and redirected messages are none.
fn filter_attached_and_detached(scene: &mut Scene) -> Result<()> {
    // BPF_RET | BPF_K: the whole packet.
    let mut code = [libc::sock_filter { code: 6, jt: 0, jf: 0, k: u32::MAX }];
    let program = libc::sock_fprog { len: 1, filter: code.as_mut_ptr() };
    let attached = sys::set(scene.fd(Receiver), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program);
    scene.note(format!("attach -> {}", names::answer(attached)));
    scene.exchange();
    let detached = sys::set(scene.fd(Receiver), libc::SOL_SOCKET, libc::SO_DETACH_FILTER, &0i32);
    scene.note(format!("detach -> {}", names::answer(detached)));
    scene.exchange();
    Ok(())
}
