//! Small servers and clients of our own, for traffic that no packaged server makes: an echo that checks every byte, a
//! server that speaks first, and as much of Redis's protocol as comparing needs.
//!
//! The servers are threads of the harness with sockets in the pod; they read and write plainly (`std::io::copy` would
//! splice, which acceleration must treat apart and other tests cover).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use meshaccel_e2e_harness::content::pattern;

use super::files::compare;
use super::pod::Pod;
use super::ports;

/// A read or write that takes longer is a hang.
const LIMIT: Duration = Duration::from_secs(20);

/// A server thread; dropping it closes the listener.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(pod: &Pod, port: u16, serve: fn(TcpStream) -> std::io::Result<()>) -> Result<Self> {
        // One socket for both families: IPv4 clients arrive as v4-mapped addresses.
        let listener = pod.netns().enter(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)))??;
        let accepting = listener.try_clone()?;
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = accepting.accept() {
                // A client that goes away is no failure of the server.
                std::thread::spawn(move || serve(stream));
            }
        });
        Ok(Self { listener, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Wakes the accepting thread, which then sees an error.
        let _ = nix::sys::socket::shutdown(self.listener.as_raw_fd(), nix::sys::socket::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Sends back what it gets on [`ports::ECHO`], until the client has closed its half.
pub fn echo_server(pod: &Pod) -> Result<Server> {
    Server::start(pod, ports::ECHO, |mut stream| {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let length = stream.read(&mut buffer)?;
            if length == 0 {
                return stream.shutdown(Shutdown::Write);
            }
            stream.write_all(&buffer[..length])?;
        }
    })
}

const GREETING: &str = "220 mesh ready\r\n";

/// Speaks first, like SMTP, on [`ports::GREETING`].
pub fn greeting_server(pod: &Pod) -> Result<Server> {
    Server::start(pod, ports::GREETING, |stream| {
        (&stream).write_all(GREETING.as_bytes())?;
        for line in BufReader::new(&stream).lines() {
            (&stream).write_all(format!("250 {}\r\n", line?).as_bytes())?;
        }
        Ok(())
    })
}

fn connect(client: &Pod, server: IpAddr, port: u16) -> Result<TcpStream> {
    let stream = client.connect(server, port)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A conversation with [`echo_server`]: kept open, so that acceleration may come and go while it lasts.
#[derive(Debug)]
pub struct Echo(TcpStream);

impl Echo {
    pub fn connect(client: &Pod, server: IpAddr) -> Result<Self> {
        connect(client, server, ports::ECHO).map(Self)
    }

    /// `rounds` messages of `size` bytes, each awaited and compared.
    pub fn ping(&mut self, rounds: usize, size: usize) -> Result<()> {
        let message = pattern(size + rounds);
        let mut answer = vec![0; size];
        for round in 0..rounds {
            // Each round's message starts one byte later: an answer to another round is seen.
            let sent = &message[round..round + size];
            self.0.write_all(sent).context("cannot send to the echo server")?;
            self.0.read_exact(&mut answer).with_context(|| format!("no answer in round {round}"))?;
            compare(&format!("echo round {round}"), &answer, sent)?;
        }
        Ok(())
    }

    /// `size` bytes in both directions at once, then half close; consumes the connection to its very end.
    pub fn stream(self, size: usize) -> Result<()> {
        let bytes = pattern(size);
        let mut answer = Vec::new();
        std::thread::scope(|scope| -> Result<()> {
            let sender = scope.spawn(|| {
                (&self.0).write_all(&bytes)?;
                self.0.shutdown(Shutdown::Write)
            });
            (&self.0).read_to_end(&mut answer).context("the echo stream broke")?;
            sender.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).context("cannot send the stream")
        })?;
        compare("echo stream", &answer, &bytes)
    }
}

/// Waits for the greeting, then exchanges `lines` lines.
pub fn greet(client: &Pod, server: IpAddr, lines: usize) -> Result<()> {
    let stream = connect(client, server, ports::GREETING)?;
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    reader.read_line(&mut line).context("the server did not greet")?;
    compare("greeting", line.as_bytes(), GREETING.as_bytes())?;
    for number in 0..lines {
        (&stream).write_all(format!("NOOP {number}\r\n").as_bytes())?;
        line.clear();
        reader.read_line(&mut line).with_context(|| format!("no answer to line {number}"))?;
        compare("answer", line.as_bytes(), format!("250 NOOP {number}\r\n").as_bytes())?;
    }
    Ok(())
}

/// A Redis client that speaks the protocol by hand, so that every byte of the answer is compared.
#[derive(Debug)]
pub struct Redis<S: Read = TcpStream> {
    stream: BufReader<S>,
    /// Its keys are its own: other clients exercise the same server at the same time.
    key: String,
    counter: String,
}

impl Redis {
    pub fn connect(client: &Pod, server: IpAddr) -> Result<Self> {
        let stream = connect(client, server, ports::REDIS)?;
        let own = stream.local_addr()?;
        Ok(Self::over(stream, &own.to_string()))
    }
}

impl<S: Read + Write> Redis<S> {
    /// A client with a name of its own on a stream that is connected to a server.
    pub fn over(stream: S, name: &str) -> Self {
        Self { stream: BufReader::new(stream), key: format!("key-{name}"), counter: format!("counter-{name}") }
    }

    /// Stores a value of `size` bytes, reads it back, and counts to `count` in one pipelined batch.
    pub fn exercise(&mut self, size: usize, count: usize) -> Result<()> {
        let value = pattern(size);
        let (key, counter) = (self.key.clone(), self.counter.clone());
        self.send(&[b"SET", key.as_bytes(), &value])?;
        self.expect("SET", b"+OK\r\n")?;
        self.send(&[b"GET", key.as_bytes()])?;
        self.expect("GET", &[format!("${size}\r\n").as_bytes(), &value, b"\r\n"].concat())?;
        self.send(&[b"DEL", counter.as_bytes()])?;
        let mut answer = String::new();
        self.stream.read_line(&mut answer)?;
        if !answer.starts_with(':') {
            bail!("DEL was answered with {answer:?}");
        }
        let increment = format!("*2\r\n$4\r\nINCR\r\n${}\r\n{counter}\r\n", counter.len());
        self.stream.get_mut().write_all(increment.repeat(count).as_bytes())?;
        let answers: String = (1..=count).map(|n| format!(":{n}\r\n")).collect();
        self.expect("INCR", answers.as_bytes())
    }

    fn send(&mut self, words: &[&[u8]]) -> Result<()> {
        let mut message = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            message.extend(format!("${}\r\n", word.len()).bytes());
            message.extend_from_slice(word);
            message.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&message).context("cannot send to redis")
    }

    fn expect(&mut self, what: &str, expected: &[u8]) -> Result<()> {
        let mut answer = vec![0; expected.len()];
        self.stream.read_exact(&mut answer).with_context(|| format!("no answer to {what}"))?;
        compare(what, &answer, expected)
    }
}
