//! HTTP/1.1 as the harness speaks it: kept connections, bodies with a length or in chunks, every byte compared.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail, ensure};

use super::operation::{Operation, Verb, check};
use super::session::{Session, Target};
use super::wire::Wire;

/// How a server understands the operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// A program: `GET /bytes/N?seed=S`, `POST /hash`.
    Program,
    /// A server of files: ranges of `/base`, and what is put under `/up/` is fetched again.
    Files,
}

/// Names of uploads: other connections upload at the same time.
static NEXT: AtomicU64 = AtomicU64::new(0);

pub struct Http<'a> {
    target: Target<'a>,
    dialect: Dialect,
    wire: BufReader<Wire>,
    /// The server said that it closes.
    closing: bool,
    upload: u64,
}

struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl<'a> Http<'a> {
    pub fn connect(target: Target<'a>, dialect: Dialect) -> Result<Self> {
        let upload = NEXT.fetch_add(1, Ordering::Relaxed);
        Ok(Self { target, dialect, wire: target.connect()?, closing: false, upload })
    }

    fn send(&mut self, line: &str, headers: &str, body: &[u8]) -> Result<()> {
        if self.closing {
            self.wire = self.target.connect()?;
            self.closing = false;
        }
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head = format!("{line} HTTP/1.1\r\nHost: stack\r\n{headers}{length}\r\n");
        let wire = self.wire.get_mut();
        wire.write_all(head.as_bytes()).context("cannot send the request's head")?;
        wire.write_all(body).context("cannot send the request's body")
    }

    fn receive(&mut self) -> Result<Answer> {
        let head = self.head()?;
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut answer = httparse::Response::new(&mut headers);
        answer.parse(&head).context("not an answer of HTTP")?;
        let header = |name: &str| {
            let found = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            found.map(|header| String::from_utf8_lossy(header.value).into_owned())
        };
        let status = answer.code.context("an answer without a status")?;
        self.closing = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let chunked = header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        let body = match header("content-length") {
            Some(length) => self.exactly(length.trim().parse().context("not a length")?)?,
            None if chunked => self.chunks()?,
            None if matches!(status, 204 | 304) => Vec::new(),
            None => {
                self.closing = true;
                super::session::read_end(&mut self.wire)?
            }
        };
        Ok(Answer { status, body })
    }

    /// Everything up to the empty line.
    fn head(&mut self) -> Result<Vec<u8>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let read = self.wire.read_until(b'\n', &mut head).context("no answer")?;
            ensure!(read > 0, "the server closed instead of answering, after {} bytes", head.len());
        }
        Ok(head)
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut body = Vec::with_capacity(length);
        let read = self.wire.by_ref().take(length as u64).read_to_end(&mut body);
        read.with_context(|| format!("after {} of {length} bytes", body.len()))?;
        ensure!(body.len() == length, "the server closed after {} of {length} bytes", body.len());
        Ok(body)
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            self.wire.read_line(&mut line).with_context(|| format!("no chunk after {} bytes", body.len()))?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).with_context(|| format!("a chunk of size {line:?}"))?;
            let mut chunk = self.exactly(size + 2)?;
            ensure!(chunk.ends_with(b"\r\n"), "a chunk without an end");
            if size == 0 {
                return Ok(body);
            }
            chunk.truncate(size);
            body.append(&mut chunk);
        }
    }

    fn fetch(&mut self, operation: &Operation, wanted: u16) -> Result<Vec<u8>> {
        let Answer { status, body } = self.receive()?;
        if status != wanted {
            let text = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
            bail!("{operation} was answered with status {status}: {text}");
        }
        Ok(body)
    }
}

impl Session for Http<'_> {
    fn begin(&mut self, operation: &Operation) -> Result<()> {
        let &Operation { size, seed, .. } = operation;
        match (self.dialect, operation.verb) {
            (Dialect::Program, Verb::Get | Verb::Abort) => {
                self.send(&format!("GET /bytes/{size}?seed={seed}"), "", b"")
            }
            (Dialect::Program, Verb::Post) => self.send("POST /hash", "", operation.piece()),
            (Dialect::Files, Verb::Get | Verb::Abort) => {
                self.send("GET /base", &format!("Range: bytes={seed}-{}\r\n", seed + size - 1), b"")
            }
            (Dialect::Files, Verb::Post) => {
                let line = format!("PUT /up/{}", self.upload);
                self.send(&line, "", operation.piece())
            }
        }
    }

    fn finish(&mut self, operation: &Operation) -> Result<()> {
        match (self.dialect, operation.verb) {
            (Dialect::Program, Verb::Post) => {
                let body = self.fetch(operation, 200)?;
                check(operation, &body, operation.hash().as_bytes())
            }
            (Dialect::Files, Verb::Post) => {
                let status = self.receive()?.status;
                ensure!(matches!(status, 201 | 204), "{operation} was answered with status {status}");
                let line = format!("GET /up/{}", self.upload);
                self.send(&line, "", b"")?;
                let body = self.fetch(operation, 200)?;
                check(operation, &body, operation.piece())
            }
            (dialect, _) => {
                let body = self.fetch(operation, if dialect == Dialect::Files { 206 } else { 200 })?;
                check(operation, &body, operation.piece())
            }
        }
    }

    fn wire(&mut self) -> &mut BufReader<Wire> {
        &mut self.wire
    }

    fn into_wire(self: Box<Self>) -> BufReader<Wire> {
        self.wire
    }

    fn large_head(&mut self, size: usize) -> Result<()> {
        let operation = Operation::get(100, size);
        let (line, status, range) = match self.dialect {
            Dialect::Program => (format!("GET /bytes/100?seed={}", operation.seed), 200, String::new()),
            Dialect::Files => {
                let range = format!("Range: bytes={}-{}\r\n", operation.seed, operation.seed + 99);
                ("GET /base".to_owned(), 206, range)
            }
        };
        let cookie = format!("{range}Cookie: a={}\r\n", "x".repeat(size));
        self.send(&line, &cookie, b"")?;
        let body = self.fetch(&operation, status)?;
        check(&operation, &body, operation.piece())
    }
}
