//! The engine over plain loopback TCP, and through a relay that lies: every kind of damage must be told apart.

use std::io::{Read, Write};
use std::net::Shutdown;

use super::fault::What;
use super::socket::Options;
use super::*;

fn service(family: Family) -> Service {
    Service::listen(None, family.loopback(0)).unwrap()
}

#[test]
fn every_family_reader_and_pace_runs_clean_over_plain_tcp() {
    for family in Family::ALL {
        let mut pairs = service(family).pairs(None, 16).unwrap();
        let shape = |index: usize| {
            let pace = if index % 8 < 4 { Pace::Fast } else { Pace::Slow };
            Shape::duplex(200_000, 1..=1 << 17).reader(Reader::ALL[index % 4]).pace(pace).seed(index as u64)
        };
        threads::exchange(&mut pairs, shape).unwrap();
        events::exchange(&mut pairs, |index| shape(index).closing()).unwrap();
    }
}

#[test]
fn a_thousand_random_exchanges_run_in_two_loops() {
    let mut pairs = service(Family::V4).pairs(None, 1000).unwrap();
    events::exchange(&mut pairs, |index| Shape::random(index as u64, 64 << 10).closing()).unwrap();
}

#[test]
fn request_and_response_run_with_every_reader() {
    for reader in Reader::ALL {
        let mut pair = service(Family::V4).pair(None).unwrap();
        request::by_hand(&mut pair, 10, 64).unwrap();
        request::rounds(&mut pair, 200, 1..=4096, reader, 5).unwrap();
        pair.close().unwrap();
    }
}

#[test]
fn load_runs_until_it_is_stopped() {
    let load = Load::start(service(Family::V6).pairs(None, 6).unwrap(), 1);
    crate::wait::wait_until(patience(), "twelve bouts", || (load.bouts() >= 12).then_some(())).unwrap();
    assert!(!load.has_failed());
    assert_eq!(load.finish().unwrap().len(), 6);
}

#[test]
fn a_reset_is_a_fault_and_not_an_end() {
    let Pair { client, mut server } = service(Family::V4).pair(None).unwrap();
    socket::reset(client.stream).unwrap();
    let fault = server.receive(1).unwrap_err();
    assert!(fault.to_string().contains("reset"), "{fault}");
}

#[test]
fn deferred_connections_are_accepted_with_their_data() {
    let options = Options { defer_accept: true, ..Options::default() };
    let service = Service::listen_with(None, Family::V4.loopback(0), options).unwrap();
    let mut client = service.client(None, None, service.address()).unwrap();
    client.send(100).unwrap();
    let mut pair = service.accept(vec![client]).unwrap().pop().unwrap();
    pair.server.receive(100).unwrap();
    request::by_hand(&mut pair, 3, 10).unwrap();
}

#[test]
fn an_impatient_client_sends_both_messages() {
    let service = service(Family::V4);
    let client = service.impatient_client(None, [10, 20]).unwrap();
    let mut pair = service.accept(vec![client]).unwrap().pop().unwrap();
    pair.server.receive(30).unwrap();
    request::by_hand(&mut pair, 2, 5).unwrap();
}

/// A pair whose client-to-server bytes go through `damage` first: 4096 bytes are sent and damaged in one piece.
fn through(damage: impl FnOnce(&mut Vec<u8>) + Send) -> Fault {
    let (front, back) = (service(Family::V4), service(Family::V4));
    let Pair { mut client, server: mut relay_in } = front.pair(None).unwrap();
    let Pair { client: mut relay_out, mut server } = back.pair(None).unwrap();
    // The checker must believe that it reads the stream which the client writes.
    server.incoming.pattern = client.outgoing.pattern;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut bytes = vec![0; 4096];
            relay_in.stream.set_nonblocking(false).unwrap();
            relay_in.stream.read_exact(&mut bytes).unwrap();
            damage(&mut bytes);
            relay_out.stream.write_all(&bytes).unwrap();
            relay_out.stream.shutdown(Shutdown::Write).unwrap();
        });
        client.send(4096).unwrap();
        server.receive(4096).and_then(|()| server.expect_end()).unwrap_err()
    })
}

#[test]
fn a_flipped_bit_is_found_at_its_offset() {
    let fault = through(|bytes| bytes[1000] ^= 1);
    assert!(matches!(fault.what, What::Wrong { .. }) && fault.offset == 1000, "{fault}");
}

#[test]
fn reordered_bytes_are_said_to_belong_later() {
    let fault = through(|bytes| bytes.rotate_left(100));
    assert!(fault.offset == 0 && fault.to_string().contains("belong 100 later"), "{fault}");
}

#[test]
fn lost_bytes_are_said_to_be_lost() {
    let fault = through(|bytes| drop(bytes.drain(1000..1064)));
    assert!(fault.offset == 1000 && fault.to_string().contains("LOST or early: the bytes belong 64 later"), "{fault}");
}

#[test]
fn repeated_bytes_are_said_to_be_repeated() {
    let fault = through(|bytes| {
        let again = bytes[1000..1064].to_vec();
        bytes.splice(1064..1064, again);
    });
    assert!(
        fault.offset == 1064 && fault.to_string().contains("REPEATED or late: the bytes belong 64 earlier"),
        "{fault}"
    );
}

#[test]
fn bytes_of_another_connection_are_called_cross_talk() {
    let fault = through(|bytes| Pattern::new(4_000_000, Direction::ToClient).fill(77, &mut bytes[2000..2100]));
    assert!(fault.offset == 2000, "{fault}");
    assert!(
        fault.to_string().contains("CROSS-TALK: the bytes belong to connection 4000000 server to client, offset 77"),
        "{fault}"
    );
}

#[test]
fn a_stream_that_ends_early_or_late_is_a_fault() {
    let early = through(|bytes| bytes.truncate(4000));
    assert!(matches!(early.what, What::EarlyEnd) && early.offset == 4000, "{early}");
    let late = through(|bytes| bytes.extend_from_slice(b"surplus"));
    assert!(matches!(late.what, What::Extra { .. }) && late.offset == 4096, "{late}");
}

#[test]
fn one_wrong_stream_of_many_turns_an_exchange_red() {
    let service = service(Family::V4);
    for engine in [threads_engine, events_engine] {
        let mut pairs = service.pairs(None, 20).unwrap();
        pairs[7].server.incoming.pattern = Pattern::new(1, Direction::ToClient);
        let faults = engine(&mut pairs).unwrap_err();
        assert!(faults.0.iter().any(Fault::is_corruption), "{faults}");
    }
}

fn threads_engine(pairs: &mut [Pair]) -> Result<(), Faults> {
    threads::exchange(pairs, |_| Shape::duplex(10_000, 1..=1000))
}

fn events_engine(pairs: &mut [Pair]) -> Result<(), Faults> {
    events::exchange(pairs, |_| Shape::duplex(10_000, 1..=1000))
}
