//! The calls of a behaviour: each writes one line.

use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::options::{Request, SocketOption};
use super::session::{Info, LIMIT, Session, Who};
use super::{names, sys};

/// How often in a row nothing may have made room, 20 ms each.
const STEADY: i32 = 15;

impl Session {
    /// send(2).
    pub fn send(&mut self, who: Who, bytes: impl AsRef<[u8]>, flags: i32) -> sys::Answer {
        let bytes = bytes.as_ref();
        let sent = sys::send(self.fd(who), bytes, flags);
        self.tell(
            who,
            format_args!("sends {} {} -> {}", names::bytes(bytes), names::flags(flags), names::answer(sent)),
        );
        self.held = flags & libc::MSG_MORE != 0 || self.corked();
        self.settle();
        sent
    }

    fn corked(&self) -> bool {
        Who::BOTH.into_iter().any(|who| {
            sys::get(self.fd(who), libc::IPPROTO_TCP, libc::TCP_CORK, 0i32).is_ok_and(|(corked, _)| corked != 0)
        })
    }

    /// write(2) of the next bytes of the text again and again, as one line.
    pub fn write_many(&mut self, who: Who, count: usize, size: usize) {
        let mut sent = 0;
        for _ in 0..count {
            let bytes = self.bytes(size);
            sent += sys::send(self.fd(who), &bytes, 0).unwrap_or(0);
        }
        self.tell(who, format_args!("sends {count} times {size} -> {sent}"));
        self.settle();
    }

    /// write(2) of the next bytes of the text.
    pub fn write(&mut self, who: Who, size: usize) {
        let bytes = self.bytes(size);
        let _ = self.send(who, bytes, 0);
    }

    /// recv(2); the bytes that came.
    pub fn receive(&mut self, who: Who, size: usize, flags: i32) -> Vec<u8> {
        let mut buffer = vec![b'.'; size];
        let received = sys::receive(self.fd(who), &mut buffer, flags);
        // What MSG_TRUNC counts need not have been written.
        buffer.truncate(received.unwrap_or(0).min(size));
        let shown = if received.is_ok() { names::bytes(&buffer) } else { String::new() };
        self.tell(who, format_args!("recv({size}, {}) -> {} {shown}", names::flags(flags), names::answer(received)));
        self.settle();
        buffer
    }

    /// recvmsg(2) into pieces of these sizes, with room for control messages.
    pub fn receive_message(&mut self, who: Who, sizes: &[usize], flags: i32) -> sys::Extra {
        let mut buffers: Vec<_> = sizes.iter().map(|&size| vec![b'.'; size]).collect();
        let mut pieces: Vec<_> = buffers.iter_mut().map(|buffer| sys::piece(buffer)).collect();
        let (received, extra) = sys::receive_message(self.fd(who), &mut pieces, 512, flags);
        let mut all = buffers.concat();
        all.truncate(received.unwrap_or(0));
        let control: Vec<_> = extra.control.iter().map(|(level, kind, _)| names::control(*level, *kind)).collect();
        self.tell(
            who,
            format_args!(
                "recvmsg({sizes:?}, {}) -> {} {} flags {} control {control:?}",
                names::flags(flags),
                names::answer(received),
                names::bytes(&all),
                names::flags(extra.flags)
            ),
        );
        extra
    }

    /// Receives until `size` bytes have come, in however many pieces, and writes one line.
    pub fn receive_all(&mut self, who: Who, size: usize) {
        let mut all = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        let end = loop {
            if all.len() >= size {
                break "";
            }
            let most = buffer.len().min(size - all.len());
            match sys::receive(self.fd(who), &mut buffer[..most], libc::MSG_DONTWAIT) {
                Ok(0) => break "and the end",
                Ok(n) => all.extend_from_slice(&buffer[..n]),
                Err(Errno::EAGAIN) => {
                    if sys::poll(self.fd(who), libc::POLLIN, LIMIT.as_millis() as i32) == Ok(0) {
                        break "and hung";
                    }
                }
                Err(error) => {
                    self.tell(who, format_args!("failed with {error:?}"));
                    break "and an error";
                }
            }
        };
        self.tell(who, format_args!("got {} {end}", names::bytes(&all)));
        self.settle();
    }

    /// Receives what is there, until the socket has no more; the pieces are not told.
    pub fn drain(&mut self, who: Who) {
        let mut all = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        let end = loop {
            match sys::receive(self.fd(who), &mut buffer, libc::MSG_DONTWAIT) {
                Ok(0) => break "0".to_owned(),
                Ok(n) => all.extend_from_slice(&buffer[..n]),
                Err(error) => break format!("{error:?}"),
            }
        };
        self.tell(who, format_args!("reads all: {}, then {end}", names::bytes(&all)));
        self.settle();
    }

    /// poll(2) that looks and does not wait.
    pub fn poll(&mut self, who: Who, events: i16) -> i16 {
        let seen = sys::poll(self.fd(who), events, 0);
        let shown = seen.map(|seen| names::events(seen.into()));
        self.tell(who, format_args!("poll({}) -> {}", names::events(events.into()), names::answer(shown)));
        seen.unwrap_or(0)
    }

    /// Everything that poll(2) can say.
    pub fn poll_all(&mut self, who: Who) -> i16 {
        use libc::{POLLIN, POLLOUT, POLLPRI, POLLRDBAND, POLLRDHUP, POLLRDNORM, POLLWRBAND, POLLWRNORM};
        self.poll(who, POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | POLLRDHUP)
    }

    /// poll(2) that waits; says so when nothing comes.
    pub fn wait(&mut self, who: Who, events: i16) {
        let seen = match sys::poll(self.fd(who), events, LIMIT.as_millis() as i32) {
            Ok(0) => "hung".to_owned(),
            Ok(seen) => names::events(seen.into()),
            Err(error) => format!("{error:?}"),
        };
        self.tell(who, format_args!("waits for {}: {seen}", names::events(events.into())));
    }

    /// setsockopt(2).
    pub fn set<T: Copy + std::fmt::Debug>(&mut self, who: Who, option: SocketOption, value: T) -> sys::Answer {
        let result = sys::set(self.fd(who), option.level, option.number, &value);
        self.tell(who, format_args!("sets {} to {value:?} -> {}", option.name, names::answer(result)));
        self.settle();
        result
    }

    /// getsockopt(2) of a number.
    pub fn get(&mut self, who: Who, option: SocketOption) {
        let value = sys::get(self.fd(who), option.level, option.number, 0i32);
        let shown = value.map(|(value, size)| format!("{value} ({size} bytes)"));
        self.tell(who, format_args!("{} is {}", option.name, names::answer(shown)));
    }

    /// ioctl(2).
    pub fn ask(&mut self, who: Who, request: Request) {
        let value = sys::ask(self.fd(who), request.number);
        self.tell(who, format_args!("{} is {}", request.name, names::answer(value)));
    }

    /// shutdown(2).
    pub fn shut_down(&mut self, who: Who, how: i32) {
        let go = |session: &mut Self| {
            let result = sys::shut_down(session.fd(who), how);
            let how = ["RD", "WR", "RDWR"][how as usize];
            session.tell(who, format_args!("shuts down {how} -> {}", names::answer(result)));
        };
        // Nobody hears of an end that reads no more.
        if how == libc::SHUT_RD { go(self) } else { self.leave(who, go) }
    }

    /// close(2).
    pub fn close(&mut self, who: Who) {
        self.leave(who, |session| {
            drop(session.take(who));
            session.tell(who, "closes");
        });
    }

    /// close(2) with linger 0: an RST.
    pub fn reset(&mut self, who: Who) {
        let _ = self.set_linger(who, 1, 0);
        self.close(who);
    }

    pub fn set_linger(&mut self, who: Who, on: i32, seconds: i32) -> sys::Answer {
        let linger = libc::linger { l_onoff: on, l_linger: seconds };
        let result = sys::set(self.fd(who), libc::SOL_SOCKET, libc::SO_LINGER, &linger);
        self.tell(who, format_args!("sets SO_LINGER to {on}, {seconds} s -> {}", names::answer(result)));
        result
    }

    /// SO_RCVTIMEO or SO_SNDTIMEO.
    pub fn set_time_out(&mut self, who: Who, option: SocketOption, limit: Duration) {
        let value = libc::timeval {
            tv_sec: limit.as_secs() as libc::time_t,
            tv_usec: limit.subsec_micros() as libc::suseconds_t,
        };
        let result = sys::set(self.fd(who), option.level, option.number, &value);
        self.tell(who, format_args!("sets {} to {limit:?} -> {}", option.name, names::answer(result)));
    }

    /// Clears or sets O_NONBLOCK.
    pub fn set_blocking(&mut self, who: Who, blocking: bool) {
        let flags = sys::control(self.fd(who), libc::F_GETFL, 0).unwrap_or(0) as i32;
        let flags = if blocking { flags & !libc::O_NONBLOCK } else { flags | libc::O_NONBLOCK };
        let result = sys::control(self.fd(who), libc::F_SETFL, flags);
        self.tell(
            who,
            format_args!("turns {} -> {}", if blocking { "blocking" } else { "non-blocking" }, names::answer(result)),
        );
    }

    /// Asks and answers once more, so that both directions carry something just now.
    pub fn exchange(&mut self) {
        for (from, text) in [(Who::Sender, "ping"), (Who::Receiver, "pong")] {
            let _ = self.send(from, text, 0);
            self.receive(from.other(), 100, 0);
        }
    }

    /// Sends as much as the kernel takes, `size` bytes a call, until it takes no more although time passes: longer than the
    /// receiver may hold an acknowledgement back (40 ms), and until the sender has asked once in vain whether there is room (after
    /// 200 ms, 400 ms ..., or when a busy machine comes to it), since such a probe sends as much as a small window has room for.
    pub fn fill(&mut self, who: Who, size: usize) -> usize {
        let start = Instant::now();
        let mut total = 0;
        let mut rest: Vec<u8> = Vec::new();
        let (mut refused, mut probed_in_vain) = (0, false);
        let mut before = self.info(who);
        loop {
            if rest.is_empty() {
                rest = self.bytes(size);
            }
            match sys::send(self.fd(who), &rest, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) {
                Ok(n) => {
                    total += n;
                    rest.drain(..n);
                    (refused, probed_in_vain) = (0, false);
                }
                // With a small send buffer each part of a large window waits for its acknowledgement: it need not be full to the brim.
                Err(Errno::EAGAIN) if refused >= STEADY && probed_in_vain || start.elapsed() >= LIMIT => break,
                // Acknowledgements on their way may still make room, also too little for POLLOUT.
                Err(Errno::EAGAIN) => {
                    refused += i32::from(sys::poll(self.fd(who), libc::POLLOUT, 20) == Ok(0));
                    let now = self.info(who);
                    // A connection that is gone probes no more.
                    probed_in_vain |= before.zip(now).is_none_or(|(before, now)| has_probed_in_vain(&before, &now));
                    before = now;
                }
                Err(error) => {
                    self.tell(who, format_args!("fails with {error:?} while it fills the queue"));
                    break;
                }
            }
        }
        self.give_back(rest.len());
        self.full = true;
        self.tell(who, "fills the queue until EAGAIN");
        total
    }

    /// Reads `size` bytes whose text is the one that [`Session::fill`] sent, whatever their number: writes whether they came.
    pub fn receive_filled(&mut self, who: Who, from: usize, size: usize) {
        let expected = Self::text(from, size);
        let start = Instant::now();
        let mut all = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        let outcome = loop {
            if all.len() >= size {
                break if all == expected { "all of it" } else { "other bytes" };
            }
            // A queue that empties by one small piece at each probe of the window hangs, too.
            if start.elapsed() > 2 * LIMIT {
                break "a part only: it takes for ever";
            }
            let most = buffer.len().min(size - all.len());
            match sys::receive(self.fd(who), &mut buffer[..most], libc::MSG_DONTWAIT) {
                Ok(0) => break "an early end",
                Ok(n) => all.extend_from_slice(&buffer[..n]),
                Err(Errno::EAGAIN) if sys::poll(self.fd(who), libc::POLLIN, LIMIT.as_millis() as i32) == Ok(0) => {
                    break "nothing more: hung";
                }
                Err(Errno::EAGAIN) => {}
                Err(_) => break "an error",
            }
        };
        self.full = false;
        self.tell(who, format_args!("reads what filled the queue: {outcome}"));
    }

    /// Closes a copy of an end's descriptor when it goes out of scope.
    pub fn copy(&mut self, who: Who) -> Option<std::os::fd::OwnedFd> {
        let copy = sys::duplicate(self.fd(who));
        self.tell(
            who,
            format_args!("is duplicated -> {}", names::answer(copy.as_ref().map(|_| "ok").map_err(|error| *error))),
        );
        copy.ok().inspect(|copy| debug_assert!(copy.as_raw_fd() >= 0))
    }
}

/// TCP's timer has fired in between, and nothing was sent.
fn has_probed_in_vain(before: &Info, now: &Info) -> bool {
    now.backoff > before.backoff && now.sent == before.sent
}
