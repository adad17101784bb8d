//! Redis's protocol: a get is a range of a value, a post a value that is stored and read back.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};

use super::operation::{Operation, Verb, base, check};
use super::session::{Session, Target};
use super::wire::Wire;

static NEXT: AtomicU64 = AtomicU64::new(0);

pub struct Resp {
    wire: BufReader<Wire>,
    key: String,
}

impl Resp {
    pub fn connect(target: Target<'_>) -> Result<Self> {
        let key = format!("key-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Ok(Self { wire: target.connect()?, key })
    }

    /// Stores the base.
    pub fn fill(&mut self) -> Result<()> {
        self.command(&[b"SET", b"base", base()])?;
        self.ok()
    }

    fn command(&mut self, words: &[&[u8]]) -> Result<()> {
        let mut message = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            message.extend(format!("${}\r\n", word.len()).bytes());
            message.extend_from_slice(word);
            message.extend_from_slice(b"\r\n");
        }
        self.wire.get_mut().write_all(&message).context("cannot send the command")
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.wire.read_line(&mut line).context("no answer")?;
        ensure!(!line.is_empty(), "the server closed instead of answering");
        Ok(line)
    }

    fn ok(&mut self) -> Result<()> {
        let line = self.line()?;
        ensure!(line == "+OK\r\n", "answered with {line:?}");
        Ok(())
    }

    fn bulk(&mut self) -> Result<Vec<u8>> {
        let line = self.line()?;
        let length: usize = line.trim_end().strip_prefix('$').with_context(|| format!("answered {line:?}"))?.parse()?;
        let mut value = vec![0; length + 2];
        self.wire.read_exact(&mut value).with_context(|| format!("a value of {length} bytes does not come whole"))?;
        value.truncate(length);
        Ok(value)
    }
}

impl Session for Resp {
    fn begin(&mut self, operation: &Operation) -> Result<()> {
        let &Operation { size, seed, .. } = operation;
        match operation.verb {
            Verb::Get | Verb::Abort => {
                let (first, last) = (seed.to_string(), (seed + size - 1).to_string());
                self.command(&[b"GETRANGE", b"base", first.as_bytes(), last.as_bytes()])
            }
            Verb::Post => {
                let key = self.key.clone();
                self.command(&[b"SET", key.as_bytes(), operation.piece()])
            }
        }
    }

    fn finish(&mut self, operation: &Operation) -> Result<()> {
        if operation.verb == Verb::Post {
            self.ok()?;
            let key = self.key.clone();
            self.command(&[b"GET", key.as_bytes()])?;
        }
        let value = self.bulk()?;
        check(operation, &value, operation.piece())
    }

    fn wire(&mut self) -> &mut BufReader<Wire> {
        &mut self.wire
    }

    fn into_wire(self: Box<Self>) -> BufReader<Wire> {
        self.wire
    }
}
