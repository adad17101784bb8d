//! A load that goes on until it is told to stop, for a client pod under which somebody changes things: keep-alive
//! connections that are renewed now and then, so that some are always young; every byte of every answer is compared; and
//! the counts can be asked for over HTTP at any time.
//!
//! What was asked before the first success may fail: the server, and its Service's rules, may come later than the client.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use axum::http::StatusCode;
use axum::{Json, Router};
use meshaccel_e2e_harness::content::pattern;
use meshaccel_e2e_harness::interrupt;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use super::grpc::{self, Caller};
use super::link::{connect, unless_it_waits, wait};
use super::pattern::Address;
use super::protocol::{Answer, Page, Protocol};

/// What to do.
#[derive(Debug, Clone)]
pub struct Settings {
    pub speech: Speech,
    pub server: SocketAddr,
    pub connections: usize,
    /// Requests after which a connection is closed and another one opened.
    pub renew_after: u64,
    /// Between an answer and the next request of the same connection.
    pub pause: Duration,
    /// Where the counts are served.
    pub status: SocketAddr,
}

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Speech {
    /// Files that nginx serves.
    Http,
    /// Bytes that come back.
    Tcp,
    /// Messages that come back.
    Grpc,
}

/// What came of it so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub requests: u64,
    pub connections: u64,
    pub bytes: u64,
    pub failures: u64,
    /// In words.
    pub last_failure: Option<String>,
}

impl Counts {
    /// Of two loads together.
    pub fn and(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            connections: self.connections + other.connections,
            bytes: self.bytes + other.bytes,
            failures: self.failures + other.failures,
            last_failure: self.last_failure.or(other.last_failure),
        }
    }

    /// An error unless every request since the first success was answered well.
    pub fn check(self) -> Result<Self> {
        match &self.last_failure {
            None => Ok(self),
            Some(last) => bail!("{} of {} requests failed, the last one: {last}", self.failures, self.requests),
        }
    }
}

type Shared = Arc<Mutex<Counts>>;

fn with<T>(counts: &Shared, body: impl FnOnce(&mut Counts) -> T) -> T {
    body(&mut counts.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Runs until a signal comes; a line of counts on standard output every second.
pub fn run(settings: &Settings) -> Result<()> {
    interrupt::becomes_error()?;
    let counts = Shared::default();
    let listener =
        TcpListener::bind(settings.status).with_context(|| format!("cannot listen on {}", settings.status))?;
    let served = Arc::clone(&counts);
    std::thread::spawn(move || serve(listener, served));
    for number in 0..settings.connections {
        let (settings, counts) = (settings.clone(), Arc::clone(&counts));
        std::thread::spawn(move || ask_for_ever(&settings, &counts, number));
    }
    while !interrupt::seen() {
        std::thread::sleep(Duration::from_secs(1));
        println!("{}", serde_json::to_string(&with(&counts, |counts| counts.clone()))?);
    }
    Ok(())
}

fn ask_for_ever(settings: &Settings, counts: &Shared, number: usize) {
    // Small and large in turns, so that no connection is of one kind only.
    let mut turn = number;
    loop {
        let mut early = false;
        if let Err(error) = converse(settings, counts, &mut turn, &mut early) {
            if !early {
                with(counts, |counts| {
                    counts.failures += 1;
                    counts.last_failure = Some(format!("{error:#}"));
                });
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// One connection, from its opening to its planned end. `early`: what was asked last, was so before the first success, by
/// whichever connection; when a proxy's attempt to connect times out, others may have succeeded for seconds.
fn converse(settings: &Settings, counts: &Shared, turn: &mut usize, early: &mut bool) -> Result<()> {
    *early = with(counts, |counts| counts.requests == 0);
    let mut connection = Connection::open(settings)?;
    with(counts, |counts| counts.connections += 1);
    for _ in 0..settings.renew_after {
        *turn += 1;
        let length = connection.ask(turn.is_multiple_of(4))?;
        with(counts, |counts| {
            counts.requests += 1;
            counts.bytes += length as u64;
        });
        *early = false;
        std::thread::sleep(settings.pause);
    }
    Ok(())
}

enum Connection {
    Http(File),
    Tcp(File),
    Grpc(Box<(Runtime, Caller)>),
}

impl Connection {
    fn open(settings: &Settings) -> Result<Self> {
        let connect = || connect(&Address::Tcp(settings.server));
        Ok(match settings.speech {
            Speech::Http => Self::Http(connect()?),
            Speech::Tcp => Self::Tcp(connect()?),
            Speech::Grpc => {
                let runtime = grpc::runtime()?;
                let caller = runtime.block_on(Caller::connect(settings.server))?;
                Self::Grpc(Box::new((runtime, caller)))
            }
        })
    }

    /// One request; the length of its right answer.
    fn ask(&mut self, large: bool) -> Result<usize> {
        let size = if large { 64 << 10 } else { 64 };
        Ok(match self {
            Self::Http(stream) => ask(stream, Protocol::Http(if large { Page::Large } else { Page::Small }))?,
            Self::Tcp(stream) => ask(stream, Protocol::Echo(size))?,
            Self::Grpc(both) => {
                let (runtime, caller) = &mut **both;
                ensure!(runtime.block_on(caller.call(pattern(size).into()))?, "a wrong answer to {size} bytes");
                size
            }
        })
    }
}

fn ask(stream: &mut File, question: Protocol) -> io::Result<usize> {
    let wrong = |why: String| io::Error::new(ErrorKind::InvalidData, why);
    let request = question.request();
    let mut sent = 0;
    while sent < request.len() {
        match unless_it_waits(stream.write(&request[sent..]))? {
            Some(length) => sent += length,
            None => wait(stream, libc::POLLOUT)?,
        }
    }
    let answer: Answer = question.answer();
    let (mut received, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        wait(stream, libc::POLLIN)?;
        let Some(length) = unless_it_waits(stream.read(&mut buffer))? else { continue };
        if length == 0 {
            return Err(wrong(format!("the connection ended after {} bytes of an answer", received.len())));
        }
        received.extend_from_slice(&buffer[..length]);
        match answer.judge(&received) {
            None => {}
            Some(true) => return Ok(received.len()),
            Some(false) => {
                let head = String::from_utf8_lossy(&received[..received.len().min(200)]).into_owned();
                return Err(wrong(format!("a wrong answer: {head:?}")));
            }
        }
    }
}

/// Answers every HTTP request with the counts: 200 once something has succeeded, 503 before.
fn serve(listener: TcpListener, counts: Shared) -> Result<()> {
    let answer = async move || {
        let counts = with(&counts, |counts| counts.clone());
        let status = if counts.requests > 0 { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, Json(counts))
    };
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        Ok(axum::serve(listener, Router::new().fallback(answer)).await?)
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use meshaccel_e2e_harness::wait::wait_for;

    use super::*;

    /// A server of 64-byte echoes, in the hands of the test.
    struct Server(TcpListener);

    impl Server {
        /// The next connection, with its first request read.
        fn asked(&self) -> (TcpStream, [u8; 64]) {
            let (mut stream, _) = self.0.accept().expect("a connection");
            let mut request = [0; 64];
            stream.read_exact(&mut request).expect("a request");
            (stream, request)
        }
    }

    /// Two loads at once: the first one's request is left alone until the second one's was answered, and ends badly then.
    /// That is forgiven; the same afterwards is not.
    #[test]
    fn only_what_was_asked_before_the_first_success_may_fail() {
        let server = Server(TcpListener::bind("127.0.0.1:0").expect("a port"));
        let settings = Settings {
            speech: Speech::Tcp,
            server: server.0.local_addr().expect("an address"),
            connections: 1,
            renew_after: 1,
            pause: Duration::ZERO,
            status: ([127, 0, 0, 1], 0).into(),
        };
        let counts = Shared::default();
        let load = |settings: Settings| {
            let counts = Arc::clone(&counts);
            // Ends with the test's process.
            std::thread::spawn(move || ask_for_ever(&settings, &counts, 0));
        };
        let now = || with(&counts, |counts| counts.clone());

        load(settings.clone());
        let (left_alone, _) = server.asked();
        load(Settings { renew_after: 1 << 20, pause: Duration::from_secs(3600), ..settings });
        let (mut second, request) = server.asked();
        second.write_all(&request).expect("an answer");
        wait_for(Duration::from_secs(10), "the first success", || {
            ensure!(now().requests == 1, "{:?}", now());
            Ok(())
        })
        .expect("a success");

        drop(left_alone);
        let (late, _) = server.asked();
        assert_eq!(now().check().expect("no failure").connections, 3);
        drop(late);
        // Who asks again has counted that; what becomes of this question is not counted yet.
        let _unanswered = server.asked();
        let counts = now();
        assert!(counts.failures == 1 && counts.last_failure.is_some(), "{counts:?}");
    }
}
