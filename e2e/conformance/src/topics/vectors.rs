//! Many pieces in one call: readv, writev, sendmsg, sendmmsg, recvmmsg.

use anyhow::Result;
use libc::{MSG_DONTWAIT, MSG_OOB};

use crate::Who::{Receiver, Sender};
use crate::{behaviours, names, sys, Session};

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
fn write_pieces(session: &mut Session, sizes: &[usize]) {
    let mut pieces: Vec<_> = sizes.iter().map(|&size| session.bytes(size)).collect();
    let entries: Vec<_> = pieces.iter_mut().map(|piece| sys::piece(piece)).collect();
    let written = sys::write_vectored(session.fd(Sender), &entries);
    session.tell(Sender, format_args!("writev of {} pieces -> {}", sizes.len(), names::answer(written)));
    session.settle();
}

/// readv into pieces of these sizes.
fn read_pieces(session: &mut Session, sizes: &[usize]) {
    let mut pieces: Vec<_> = sizes.iter().map(|&size| vec![b'.'; size]).collect();
    let entries: Vec<_> = pieces.iter_mut().map(|piece| sys::piece(piece)).collect();
    let read = sys::read_vectored(session.fd(Receiver), &entries);
    let bytes = names::bytes(&pieces.concat());
    session.tell(Receiver, format_args!("readv of {} pieces -> {} {bytes}", sizes.len(), names::answer(read)));
    session.settle();
}

fn many_pieces_are_one_message(session: &mut Session) -> Result<()> {
    write_pieces(session, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    session.receive(Receiver, 100, 0);
    session.exchange();
    Ok(())
}

fn a_thousand_pieces(session: &mut Session) -> Result<()> {
    write_pieces(session, &[3; 1000]);
    session.receive(Receiver, 5000, 0);
    write_pieces(session, &[17; 1024]);
    session.receive_all(Receiver, 17 * 1024);
    Ok(())
}

fn pieces_of_nothing(session: &mut Session) -> Result<()> {
    write_pieces(session, &[]);
    write_pieces(session, &[0]);
    write_pieces(session, &[0, 5, 0, 5, 0]);
    session.receive(Receiver, 100, 0);
    Ok(())
}

fn too_many_pieces(session: &mut Session) -> Result<()> {
    write_pieces(session, &[1; 1025]);
    session.receive(Receiver, 100, 0);
    session.exchange();
    Ok(())
}

fn large_pieces(session: &mut Session) -> Result<()> {
    write_pieces(session, &[40_000, 1, 30_000]);
    session.receive_all(Receiver, 70_001);
    session.exchange();
    Ok(())
}

fn read_into_many_pieces(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "abcdefghij", 0);
    let _ = session.send(Sender, "klmnopqrst", 0);
    read_pieces(session, &[1, 2, 3, 4, 5, 10]);
    read_pieces(session, &[1, 2]);
    for _ in 0..3 {
        session.write(Sender, 1000);
    }
    read_pieces(session, &[3; 1000]);
    Ok(())
}

fn read_into_pieces_of_nothing(session: &mut Session) -> Result<()> {
    read_pieces(session, &[]);
    read_pieces(session, &[0, 0]);
    let _ = session.send(Sender, "bytes", 0);
    read_pieces(session, &[]);
    read_pieces(session, &[0, 2, 0, 3, 0]);
    Ok(())
}

/// sendmmsg of messages of these sizes.
fn send_messages(session: &mut Session, sizes: &[usize]) {
    let mut messages: Vec<_> = sizes.iter().map(|&size| session.bytes(size)).collect();
    let (answer, lengths) = sys::send_messages(session.fd(Sender), &mut messages, MSG_DONTWAIT);
    let total: u32 = lengths.iter().sum();
    session.tell(Sender, format_args!("sendmmsg of {} -> {}, {total} bytes", sizes.len(), names::answer(answer)));
    session.settle();
}

fn many_messages_in_one_call(session: &mut Session) -> Result<()> {
    send_messages(session, &[10, 20, 30]);
    session.receive(Receiver, 100, 0);
    session.exchange();
    Ok(())
}

fn more_messages_than_are_redirected(session: &mut Session) -> Result<()> {
    send_messages(session, &[5; 200]);
    session.receive_all(Receiver, 1000);
    session.receive(Receiver, 10, 0);
    send_messages(session, &[2000; 100]);
    session.receive_all(Receiver, 200_000);
    Ok(())
}

fn many_messages_one_empty(session: &mut Session) -> Result<()> {
    send_messages(session, &[3, 0, 4]);
    session.receive(Receiver, 100, 0);
    Ok(())
}

/// recvmmsg into buffers of these sizes.
fn receive_messages(session: &mut Session, sizes: &[usize]) {
    let (answer, messages) = sys::receive_messages(session.fd(Receiver), sizes, MSG_DONTWAIT);
    let shown: Vec<_> = messages.iter().map(|message| names::bytes(message)).collect();
    session.tell(Receiver, format_args!("recvmmsg of {sizes:?} -> {} {shown:?}", names::answer(answer)));
}

fn receive_many_messages(session: &mut Session) -> Result<()> {
    for text in ["abcd", "efgh", "ijkl"] {
        let _ = session.send(Sender, text, 0);
    }
    receive_messages(session, &[6, 2, 4]);
    receive_messages(session, &[6, 2]);
    Ok(())
}

fn receive_many_until_nothing_is_left(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "abcdefg", 0);
    receive_messages(session, &[3, 3, 3, 3]);
    receive_messages(session, &[3, 3]);
    session.exchange();
    Ok(())
}

fn receive_many_at_the_end(session: &mut Session) -> Result<()> {
    let _ = session.send(Sender, "last", 0);
    session.shut_down(Sender, libc::SHUT_WR);
    receive_messages(session, &[10, 10, 10]);
    receive_messages(session, &[10]);
    Ok(())
}

fn message_with_unknown_control(session: &mut Session) -> Result<()> {
    for (level, kind) in [(libc::SOL_SOCKET, 200), (libc::SOL_SOCKET, libc::SCM_RIGHTS), (libc::IPPROTO_TCP, 200)] {
        let mut bytes = *b"with control";
        let answer =
            sys::send_message(session.fd(Sender), &mut [sys::piece(&mut bytes)], Some((level, kind, &[0; 4])), 0);
        session.tell(Sender, format_args!("sendmsg with control ({level}, {kind}) -> {}", names::answer(answer)));
        session.settle();
        session.receive(Receiver, 100, 0);
    }
    session.exchange();
    Ok(())
}

/// sendto(2) on a connected stream: the address is ignored.
fn message_with_an_address(session: &mut Session) -> Result<()> {
    let answer = sys::send_to(session.fd(Sender), b"somewhere else");
    session.tell(Sender, format_args!("sendto another address -> {}", names::answer(answer)));
    session.settle();
    session.receive(Receiver, 100, 0);
    let (answer, size) = sys::receive_from(session.fd(Receiver));
    session.tell(Receiver, format_args!("recvfrom -> {}, an address of {size} bytes", names::answer(answer)));
    Ok(())
}

fn message_of_urgent_pieces(session: &mut Session) -> Result<()> {
    let (mut first, mut second) = (*b"abc", *b"de!");
    let mut pieces = [sys::piece(&mut first), sys::piece(&mut second)];
    let answer = sys::send_message(session.fd(Sender), &mut pieces, None, MSG_OOB);
    session.tell(Sender, format_args!("sendmsg of urgent pieces -> {}", names::answer(answer)));
    session.settle();
    session.receive(Receiver, 100, 0);
    session.receive(Receiver, 1, MSG_OOB);
    Ok(())
}
