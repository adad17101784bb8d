//! The exchange with one epoll loop a side: thousands of connections from two threads, as a proxy would.

use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;

use super::end::{End, Pair};
use super::fault::{Fault, Faults, What};
use super::patience;
use super::shape::{Messages, Pace, Reader, Shape};
use super::socket::Epoll;
use super::threads::directions;

const READ: usize = 64 << 10;
const SLOW_READ: usize = 700;
/// Calls in one go before the next connection gets its turn.
const TURN: usize = 16;

/// Runs one shape on each pair, all at once. `Recv` and `Poll` readers are level-triggered here.
pub fn exchange(pairs: &mut [Pair], shape_of: impl Fn(usize) -> Shape) -> Result<(), Faults> {
    let (mut clients, mut servers) = (Vec::new(), Vec::new());
    for (index, Pair { client, server }) in pairs.iter_mut().enumerate() {
        let shape = shape_of(index);
        clients.push(Task::new(client, &shape, true));
        servers.push(Task::new(server, &shape, false));
    }
    let mut faults = std::thread::scope(|scope| {
        let other = scope.spawn(move || run(servers));
        let mut faults = run(clients);
        faults.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        faults
    });
    faults.sort_by_key(|fault| fault.pattern.connection);
    Faults(faults).into_result()
}

/// One end's share of the exchange.
struct Task<'a> {
    end: &'a mut End,
    messages: Messages,
    /// Rest of the message that is being sent.
    message: usize,
    /// Offset at which the incoming stream is complete.
    until: u64,
    edge: bool,
    slow: bool,
    close: bool,
    /// What the kernel last said; a refused call takes it back.
    readable: bool,
    writable: bool,
    written: bool,
    read: bool,
}

impl<'a> Task<'a> {
    fn new(end: &'a mut End, shape: &Shape, is_client: bool) -> Self {
        let (out, into) = directions(shape, is_client);
        let until = end.incoming.offset + into.bytes;
        Self {
            end,
            messages: Messages::new(&out, shape.seed, u64::from(is_client)),
            message: 0,
            until,
            edge: shape.reader == Reader::Edge,
            slow: shape.pace == Pace::Slow,
            close: shape.close,
            readable: true,
            writable: true,
            written: false,
            read: into.bytes == 0 && !shape.close,
        }
    }

    fn done(&self) -> bool {
        self.written && self.read
    }

    /// What to ask the kernel for. Edge-triggered sets ask once, for everything.
    fn interest(&self) -> i32 {
        if self.edge {
            return libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
        }
        let input = if self.read { 0 } else { libc::EPOLLIN };
        let output = if self.written { 0 } else { libc::EPOLLOUT };
        input | output
    }

    fn can_go_on(&self) -> bool {
        self.readable && !self.read || self.writable && !self.written
    }

    /// Reads and writes until refused or the turn is over.
    fn turn(&mut self) -> Result<(), Fault> {
        let reads = if self.edge && !self.slow { TURN } else { 1 };
        for _ in 0..reads {
            if self.readable && !self.read {
                self.read_once()?;
            }
        }
        for _ in 0..TURN {
            if self.writable && !self.written {
                self.write_once()?;
            }
        }
        // Level-triggered: only the next epoll_wait may say that there is more.
        if !self.edge {
            self.readable = false;
            self.writable = false;
        }
        Ok(())
    }

    fn read_once(&mut self) -> Result<(), Fault> {
        let End { stream, incoming, .. } = &mut *self.end;
        if incoming.offset == self.until && self.close {
            match incoming.receive_once(stream, 64, libc::MSG_DONTWAIT)? {
                Ok(0) => self.read = true,
                Ok(_) => return Err(Fault::extra(incoming.pattern, incoming.offset, &[])),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
                Err(error) => return Err(incoming.failed("recv at the end", error)),
            }
            return Ok(());
        }
        let most = if self.slow { SLOW_READ } else { READ };
        let size = most.min((self.until - incoming.offset) as usize);
        match incoming.receive_once(stream, size, libc::MSG_DONTWAIT)? {
            Ok(0) => return Err(incoming.ended()),
            Ok(_) => self.read = incoming.offset == self.until && !self.close,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Err(error) => return Err(incoming.failed("recv", error)),
        }
        Ok(())
    }

    fn write_once(&mut self) -> Result<(), Fault> {
        let End { stream, outgoing, .. } = &mut *self.end;
        if self.message == 0 {
            match self.messages.next() {
                Some(size) => self.message = size,
                None => {
                    self.written = true;
                    if self.close {
                        stream.shutdown(Shutdown::Write).map_err(|error| outgoing.failed("shutdown", error))?;
                    }
                    return Ok(());
                }
            }
        }
        match outgoing.send_once(stream, self.message, libc::MSG_DONTWAIT) {
            Ok(n) => self.message -= n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable = false,
            Err(error) => return Err(outgoing.failed("send", error)),
        }
        Ok(())
    }

    fn stalled(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !self.read {
            let End { incoming, .. } = &*self.end;
            let what = What::Stalled { doing: "epoll_wait for input" };
            faults.push(Fault { pattern: incoming.pattern, offset: incoming.offset, what });
        }
        if !self.written {
            let End { outgoing, .. } = &*self.end;
            let what = What::Stalled { doing: "epoll_wait for output" };
            faults.push(Fault { pattern: outgoing.pattern, offset: outgoing.offset, what });
        }
        faults
    }
}

/// One side's loop: until every task is done or failed, or nothing moved for the whole patience.
fn run(mut tasks: Vec<Task>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let epoll = match Epoll::new() {
        Ok(epoll) => epoll,
        Err(error) => {
            return tasks.iter().map(|task| task.end.incoming.failed("epoll_create", clone(&error))).collect();
        }
    };
    let mut open = 0;
    let mut ready = Vec::new();
    let mut asked = Vec::with_capacity(tasks.len());
    for (key, task) in tasks.iter().enumerate() {
        asked.push(task.interest());
        match epoll.add(task.end.stream.as_fd(), task.interest(), key) {
            Ok(()) => open += 1,
            Err(error) => faults.push(task.end.incoming.failed("epoll_ctl", error)),
        }
        ready.push(key);
    }
    while open > 0 {
        let mut next = Vec::new();
        for key in ready.drain(..) {
            let task = &mut tasks[key];
            let result = task.turn();
            let failed = result.is_err();
            if let Err(fault) = result {
                let _ = task.end.stream.shutdown(Shutdown::Both);
                faults.push(fault);
            }
            if failed || task.done() {
                let _ = epoll.remove(task.end.stream.as_fd());
                asked[key] = -1;
                open -= 1;
            } else if task.can_go_on() {
                next.push(key);
            } else if task.interest() != asked[key] {
                asked[key] = task.interest();
                if let Err(error) = epoll.change(task.end.stream.as_fd(), asked[key], key) {
                    faults.push(task.end.incoming.failed("epoll_ctl", error));
                }
            }
        }
        ready = next;
        let mut queued = vec![false; tasks.len()];
        for &key in &ready {
            queued[key] = true;
        }
        if open == 0 {
            break;
        }
        let limit = if ready.is_empty() { patience().as_millis() as i32 } else { 0 };
        let events = match epoll.wait(limit) {
            Ok(events) => events,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => Vec::new(),
        };
        if events.is_empty() && ready.is_empty() {
            let unfinished = tasks.iter().enumerate().filter(|(key, _)| asked[*key] != -1);
            faults.extend(unfinished.flat_map(|(_, task)| task.stalled()));
            for task in &tasks {
                let _ = task.end.stream.shutdown(Shutdown::Both);
            }
            break;
        }
        for (key, flags) in events {
            if asked[key] == -1 {
                continue;
            }
            let task = &mut tasks[key];
            let broken = flags & (libc::EPOLLERR | libc::EPOLLHUP) != 0;
            task.readable |= broken || flags & (libc::EPOLLIN | libc::EPOLLRDHUP) != 0;
            task.writable |= broken || flags & libc::EPOLLOUT != 0;
            if !queued[key] {
                queued[key] = true;
                ready.push(key);
            }
        }
    }
    faults
}

fn clone(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}
