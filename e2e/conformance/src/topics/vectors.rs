//! Many pieces in one call: readv, writev, sendmsg, sendmmsg, recvmmsg.

use anyhow::Result;
use libc::{MSG_DONTWAIT, MSG_OOB};

use crate::Who::{Receiver, Sender};
use crate::{behaviours, names, sys, Scene};

behaviours! {
    "writev(2)":
        many_pieces_are_one_message,
        a_thousand_pieces,
        pieces_of_nothing,
        too_many_pieces,
        large_pieces;
    "readv(2)":
        read_into_many_pieces,
        read_into_pieces_of_nothing;
    "sendmmsg(2)":
        many_messages_in_one_call,
        more_messages_than_are_redirected,
        many_messages_one_empty;
    "recvmmsg(2)":
        receive_many_messages,
        receive_many_until_nothing_is_left,
        receive_many_at_the_end;
    "sendmsg(2)":
        message_with_unknown_control,
        message_with_an_address,
        message_of_urgent_pieces;
}

/// writev of pieces of these sizes.
fn write_pieces(scene: &mut Scene, sizes: &[usize]) {
    let mut pieces: Vec<_> = sizes.iter().map(|&size| scene.bytes(size)).collect();
    let entries: Vec<_> = pieces.iter_mut().map(|piece| sys::piece(piece)).collect();
    let written = sys::write_vectored(scene.fd(Sender), &entries);
    scene.tell(Sender, format_args!("writev of {} pieces -> {}", sizes.len(), names::answer(written)));
    scene.settle();
}

/// readv into pieces of these sizes.
fn read_pieces(scene: &mut Scene, sizes: &[usize]) {
    let mut pieces: Vec<_> = sizes.iter().map(|&size| vec![b'.'; size]).collect();
    let entries: Vec<_> = pieces.iter_mut().map(|piece| sys::piece(piece)).collect();
    let read = sys::read_vectored(scene.fd(Receiver), &entries);
    let bytes = names::bytes(&pieces.concat());
    scene.tell(Receiver, format_args!("readv of {} pieces -> {} {bytes}", sizes.len(), names::answer(read)));
    scene.settle();
}

fn many_pieces_are_one_message(scene: &mut Scene) -> Result<()> {
    write_pieces(scene, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    scene.receive(Receiver, 100, 0);
    scene.exchange();
    Ok(())
}

fn a_thousand_pieces(scene: &mut Scene) -> Result<()> {
    write_pieces(scene, &[3; 1000]);
    scene.receive(Receiver, 5000, 0);
    write_pieces(scene, &[17; 1024]);
    scene.receive_all(Receiver, 17 * 1024);
    Ok(())
}

fn pieces_of_nothing(scene: &mut Scene) -> Result<()> {
    write_pieces(scene, &[]);
    write_pieces(scene, &[0]);
    write_pieces(scene, &[0, 5, 0, 5, 0]);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

fn too_many_pieces(scene: &mut Scene) -> Result<()> {
    write_pieces(scene, &[1; 1025]);
    scene.receive(Receiver, 100, 0);
    scene.exchange();
    Ok(())
}

fn large_pieces(scene: &mut Scene) -> Result<()> {
    write_pieces(scene, &[40_000, 1, 30_000]);
    scene.receive_all(Receiver, 70_001);
    scene.exchange();
    Ok(())
}

fn read_into_many_pieces(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "abcdefghij", 0);
    let _ = scene.send(Sender, "klmnopqrst", 0);
    read_pieces(scene, &[1, 2, 3, 4, 5, 10]);
    read_pieces(scene, &[1, 2]);
    for _ in 0..3 {
        scene.write(Sender, 1000);
    }
    read_pieces(scene, &[3; 1000]);
    Ok(())
}

fn read_into_pieces_of_nothing(scene: &mut Scene) -> Result<()> {
    read_pieces(scene, &[]);
    read_pieces(scene, &[0, 0]);
    let _ = scene.send(Sender, "bytes", 0);
    read_pieces(scene, &[]);
    read_pieces(scene, &[0, 2, 0, 3, 0]);
    Ok(())
}

/// sendmmsg of messages of these sizes.
fn send_messages(scene: &mut Scene, sizes: &[usize]) {
    let mut messages: Vec<_> = sizes.iter().map(|&size| scene.bytes(size)).collect();
    let (answer, lengths) = sys::send_messages(scene.fd(Sender), &mut messages, MSG_DONTWAIT);
    let total: u32 = lengths.iter().sum();
    scene.tell(Sender, format_args!("sendmmsg of {} -> {}, {total} bytes", sizes.len(), names::answer(answer)));
    scene.settle();
}

fn many_messages_in_one_call(scene: &mut Scene) -> Result<()> {
    send_messages(scene, &[10, 20, 30]);
    scene.receive(Receiver, 100, 0);
    scene.exchange();
    Ok(())
}

fn more_messages_than_are_redirected(scene: &mut Scene) -> Result<()> {
    send_messages(scene, &[5; 200]);
    scene.receive_all(Receiver, 1000);
    scene.receive(Receiver, 10, 0);
    send_messages(scene, &[2000; 100]);
    scene.receive_all(Receiver, 200_000);
    Ok(())
}

fn many_messages_one_empty(scene: &mut Scene) -> Result<()> {
    send_messages(scene, &[3, 0, 4]);
    scene.receive(Receiver, 100, 0);
    Ok(())
}

/// recvmmsg into buffers of these sizes.
fn receive_messages(scene: &mut Scene, sizes: &[usize]) {
    let (answer, messages) = sys::receive_messages(scene.fd(Receiver), sizes, MSG_DONTWAIT);
    let shown: Vec<_> = messages.iter().map(|message| names::bytes(message)).collect();
    scene.tell(Receiver, format_args!("recvmmsg of {sizes:?} -> {} {shown:?}", names::answer(answer)));
}

fn receive_many_messages(scene: &mut Scene) -> Result<()> {
    for text in ["abcd", "efgh", "ijkl"] {
        let _ = scene.send(Sender, text, 0);
    }
    receive_messages(scene, &[6, 2, 4]);
    receive_messages(scene, &[6, 2]);
    Ok(())
}

fn receive_many_until_nothing_is_left(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "abcdefg", 0);
    receive_messages(scene, &[3, 3, 3, 3]);
    receive_messages(scene, &[3, 3]);
    scene.exchange();
    Ok(())
}

fn receive_many_at_the_end(scene: &mut Scene) -> Result<()> {
    let _ = scene.send(Sender, "last", 0);
    scene.shut_down(Sender, libc::SHUT_WR);
    receive_messages(scene, &[10, 10, 10]);
    receive_messages(scene, &[10]);
    Ok(())
}

fn message_with_unknown_control(scene: &mut Scene) -> Result<()> {
    for (level, kind) in [(libc::SOL_SOCKET, 200), (libc::SOL_SOCKET, libc::SCM_RIGHTS), (libc::IPPROTO_TCP, 200)] {
        let mut bytes = *b"with control";
        let answer =
            sys::send_message(scene.fd(Sender), &mut [sys::piece(&mut bytes)], Some((level, kind, &[0; 4])), 0);
        scene.tell(Sender, format_args!("sendmsg with control ({level}, {kind}) -> {}", names::answer(answer)));
        scene.settle();
        scene.receive(Receiver, 100, 0);
    }
    scene.exchange();
    Ok(())
}

/// sendto(2) on a connected stream: the address is ignored.
fn message_with_an_address(scene: &mut Scene) -> Result<()> {
    let answer = sys::send_to(scene.fd(Sender), b"somewhere else");
    scene.tell(Sender, format_args!("sendto another address -> {}", names::answer(answer)));
    scene.settle();
    scene.receive(Receiver, 100, 0);
    let (answer, size) = sys::receive_from(scene.fd(Receiver));
    scene.tell(Receiver, format_args!("recvfrom -> {}, an address of {size} bytes", names::answer(answer)));
    Ok(())
}

fn message_of_urgent_pieces(scene: &mut Scene) -> Result<()> {
    let (mut first, mut second) = (*b"abc", *b"de!");
    let mut pieces = [sys::piece(&mut first), sys::piece(&mut second)];
    let answer = sys::send_message(scene.fd(Sender), &mut pieces, None, MSG_OOB);
    scene.tell(Sender, format_args!("sendmsg of urgent pieces -> {}", names::answer(answer)));
    scene.settle();
    scene.receive(Receiver, 100, 0);
    scene.receive(Receiver, 1, MSG_OOB);
    Ok(())
}
