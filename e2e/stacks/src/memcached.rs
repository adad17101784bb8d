//! memcached: worker threads of libevent, non-blocking, level-triggered. Its text protocol has no ranges: every operation stores a
//! piece and reads it back.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_mesh::process::User;

use super::operation::{Operation, check};
use super::session::{Session, Target};
use super::site::{Running, Site, program};
use super::stack::{Asks, HalfClose, Stack};
use super::wire::Wire;

pub const MEMCACHED: Stack = Stack {
    name: "memcached",
    server,
    asks: Asks::Own(|target| Ok(Box::new(Memcache::connect(target)?))),
    agents: &[],
    crowd: true,
    half_close: HalfClose::Steady,
};

static NEXT: AtomicU64 = AtomicU64::new(0);

fn server(site: &Site<'_>) -> Result<Running> {
    let (port, listen) = (site.free_port()?, site.address().to_string());
    let text = port.to_string();
    let arguments = ["-l", &listen, "-p", &text, "-U", "0", "-I", "8m", "-m", "256", "-t", "2"];
    site.ready(port, vec![site.start(User::APP, "memcached", &program("memcached")?, &arguments)?])
}

struct Memcache {
    wire: BufReader<Wire>,
    key: String,
}

impl Memcache {
    fn connect(target: Target<'_>) -> Result<Self> {
        Ok(Self { wire: target.connect()?, key: format!("key-{}", NEXT.fetch_add(1, Ordering::Relaxed)) })
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.wire.read_line(&mut line).context("no answer")?;
        ensure!(!line.is_empty(), "the server closed instead of answering");
        Ok(line)
    }
}

impl Session for Memcache {
    /// Stores, and asks for it in the same breath: both are on their way.
    fn begin(&mut self, operation: &Operation) -> Result<()> {
        let message = format!("set {} 0 0 {}\r\n", self.key, operation.size).into_bytes();
        let ask = format!("\r\nget {}\r\n", self.key).into_bytes();
        self.wire.get_mut().write_all(&[&message, operation.piece(), &ask].concat()).context("cannot send the command")
    }

    fn finish(&mut self, operation: &Operation) -> Result<()> {
        let stored = self.line()?;
        ensure!(stored == "STORED\r\n", "answered with {stored:?}");
        let head = self.line()?;
        ensure!(head == format!("VALUE {} 0 {}\r\n", self.key, operation.size), "answered with {head:?}");
        let mut value = vec![0; operation.size + b"\r\nEND\r\n".len()];
        self.wire.read_exact(&mut value).with_context(|| format!("a value of {} bytes", operation.size))?;
        ensure!(value.ends_with(b"\r\nEND\r\n"), "a value without an end");
        check(operation, &value[..operation.size], operation.piece())
    }

    fn wire(&mut self) -> &mut BufReader<Wire> {
        &mut self.wire
    }

    fn into_wire(self: Box<Self>) -> BufReader<Wire> {
        self.wire
    }
}
