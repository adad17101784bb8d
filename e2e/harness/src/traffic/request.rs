//! Request/response: the traffic that acceleration is for. By hand from one thread, or from a thread a side.

use std::io;
use std::ops::RangeInclusive;
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::end::{End, Pair};
use super::fault::{Fault, Faults};
use super::shape::{Messages, Reader};
use super::threads::Readable;

/// `rounds` requests and answers of `size` bytes from one thread: no reader ever waits.
pub fn by_hand(pair: &mut Pair, rounds: usize, size: usize) -> Result<(), Fault> {
    for _ in 0..rounds {
        pair.client.send(size)?;
        pair.server.receive(size)?;
        pair.server.send(size)?;
        pair.client.receive(size)?;
    }
    Ok(())
}

/// `rounds` requests and answers from a thread a side, of sizes from `sizes`: each reader waits for each message.
pub fn rounds(
    pair: &mut Pair,
    rounds: usize,
    sizes: RangeInclusive<usize>,
    reader: Reader,
    seed: u64,
) -> Result<(), Faults> {
    let Pair { client, server } = pair;
    let faults = std::thread::scope(|scope| {
        let sizes_of_server = sizes.clone();
        let answering = scope.spawn(move || side(server, rounds, sizes_of_server, reader, seed, false));
        let asked = side(client, rounds, sizes, reader, seed, true);
        let answered = answering.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        [asked, answered].into_iter().filter_map(Result::err).collect()
    });
    Faults(faults).into_result()
}

/// One side: both draw the same sizes from the same seed, so no message needs a header.
fn side(
    end: &mut End,
    rounds: usize,
    sizes: RangeInclusive<usize>,
    reader: Reader,
    seed: u64,
    asks: bool,
) -> Result<(), Fault> {
    let mut dice = StdRng::seed_from_u64(seed);
    let result = (|| {
        let End { stream, outgoing, incoming } = end;
        let mut readable = Readable::new(stream, reader).map_err(|error| incoming.failed("epoll", error))?;
        let mut receive = |incoming: &mut super::end::Incoming, size: usize| {
            let until = incoming.offset + size as u64;
            while incoming.offset < until {
                let since = Instant::now();
                match readable.receive(incoming, (until - incoming.offset) as usize)? {
                    Ok(0) => return Err(incoming.ended()),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(incoming.failed_since("recv", error, since)),
                }
            }
            Ok(())
        };
        for _ in 0..rounds {
            let (question, answer) = (Messages::size(&mut dice, &sizes), Messages::size(&mut dice, &sizes));
            if asks {
                outgoing.send(stream, question)?;
                receive(incoming, answer)?;
            } else {
                receive(incoming, question)?;
                outgoing.send(stream, answer)?;
            }
        }
        Ok(())
    })();
    if result.is_err() {
        let _ = end.stream.shutdown(std::net::Shutdown::Both);
    }
    result
}
