//! A protocol on a connection, as the cases use it. One operation is on its way at a time.

use std::io::{BufReader, Read};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use meshaccel_e2e_harness::netns::Netns;

use super::operation::Operation;
use super::wire::Wire;

/// Who asks, and whom: what a session needs to connect, and to connect again.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub netns: &'a Netns,
    pub address: SocketAddr,
}

impl Target<'_> {
    pub fn connect(&self) -> Result<BufReader<Wire>> {
        let wire = Wire::connect(self.netns, self.address);
        Ok(BufReader::with_capacity(64 << 10, wire.with_context(|| format!("cannot connect to {}", self.address))?))
    }
}

pub trait Session: Send {
    /// Sends a request.
    fn begin(&mut self, operation: &Operation) -> Result<()>;

    /// Reads its answer and compares every byte.
    fn finish(&mut self, operation: &Operation) -> Result<()>;

    /// The connection.
    fn wire(&mut self) -> &mut BufReader<Wire>;

    /// The connection alone, for what ends it.
    fn into_wire(self: Box<Self>) -> BufReader<Wire>;

    /// A request whose head has so many bytes: only protocols that have heads.
    fn large_head(&mut self, _size: usize) -> Result<()> {
        bail!("this protocol has no heads")
    }
}

/// How one operation went.
#[derive(Clone, Copy, Debug)]
pub struct Timed {
    pub took: Duration,
    /// The longest wait at a stretch.
    pub silence: Duration,
}

/// Asks and awaits the answer.
pub fn perform(session: &mut dyn Session, operation: &Operation) -> Result<Timed> {
    timed(session, |session| {
        session.begin(operation)?;
        session.finish(operation)
    })
    .with_context(|| format!("in {operation}"))
}

pub fn timed(session: &mut dyn Session, body: impl FnOnce(&mut dyn Session) -> Result<()>) -> Result<Timed> {
    session.wire().get_mut().take_silence();
    let start = Instant::now();
    body(session)?;
    Ok(Timed { took: start.elapsed(), silence: session.wire().get_mut().take_silence() })
}

/// What is left of the answer, up to the other side's end.
pub fn read_end(wire: &mut BufReader<Wire>) -> Result<Vec<u8>> {
    let mut rest = Vec::new();
    wire.read_to_end(&mut rest).context("no end of the connection")?;
    Ok(rest)
}
