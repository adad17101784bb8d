//! Connections made inside network namespaces: a [`Service`] listens in one, clients connect from any.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use super::end::{End, Outgoing, Pair};
use super::pattern::{Direction, Pattern};
use super::socket::{self, Options};
use crate::netns::Netns;

/// Connection numbers are unique in the process, so bytes of one test's connection are known in any other.
static NEXT_CONNECTION: AtomicU32 = AtomicU32::new(1);

/// A listening socket.
#[derive(Debug)]
pub struct Service {
    listener: TcpListener,
    address: SocketAddr,
    options: Options,
}

/// Runs `body` inside a namespace, or right here.
pub fn inside<T: Send>(netns: Option<&Netns>, body: impl FnOnce() -> T + Send) -> Result<T> {
    match netns {
        Some(netns) => netns.enter(body),
        None => Ok(body()),
    }
}

impl Service {
    /// Listens on `address` (port 0: any) in a namespace.
    pub fn listen(netns: Option<&Netns>, address: SocketAddr) -> Result<Self> {
        Self::listen_with(netns, address, Options::default())
    }

    /// The same with socket options, which the clients of this service use too.
    pub fn listen_with(netns: Option<&Netns>, address: SocketAddr, options: Options) -> Result<Self> {
        let listener = inside(netns, || socket::listen(address, options))?
            .with_context(|| format!("cannot listen on {address}"))?;
        // Bounds accept(2): a connection that never comes is a failure, not a hung test.
        let patience = libc::timeval { tv_sec: super::patience().as_secs() as libc::time_t, tv_usec: 0 };
        socket::set(&listener, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &patience)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, options })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A connection straight to this service.
    pub fn pair(&self, netns: Option<&Netns>) -> Result<Pair> {
        self.pair_via(netns, None, self.address)
    }

    /// A connection from `local` to `remote`, which the namespace's rules lead here.
    pub fn pair_via(&self, netns: Option<&Netns>, local: Option<SocketAddr>, remote: SocketAddr) -> Result<Pair> {
        let client = self.client(netns, local, remote)?;
        self.accept(vec![client])?.pop().context("one connection was asked for")
    }

    /// `count` connections straight to this service.
    pub fn pairs(&self, netns: Option<&Netns>, count: usize) -> Result<Vec<Pair>> {
        self.pairs_via(netns, count, self.address)
    }

    /// `count` connections to `remote`, which the namespace's rules lead here.
    pub fn pairs_via(&self, netns: Option<&Netns>, count: usize, remote: SocketAddr) -> Result<Vec<Pair>> {
        inside(netns, || {
            let mut pairs = Vec::with_capacity(count);
            while pairs.len() < count {
                // In batches that fit any backlog.
                let batch = (count - pairs.len()).min(64);
                let clients = (0..batch).map(|_| self.connect(None, remote)).collect::<Result<Vec<_>>>()?;
                pairs.append(&mut self.accept(clients)?);
            }
            Ok(pairs)
        })?
    }

    /// The client's end alone: connected, not yet accepted.
    pub fn client(&self, netns: Option<&Netns>, local: Option<SocketAddr>, remote: SocketAddr) -> Result<End> {
        inside(netns, || self.connect(local, remote))?
    }

    /// A client, with a blocking descriptor, whose handshake has begun and is not waited for.
    pub fn unfinished_client(&self, netns: Option<&Netns>) -> Result<End> {
        let remote = self.address;
        let stream = inside(netns, || socket::begin_connect(remote))??;
        Ok(End::client(stream, NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed)))
    }

    /// A client whose first messages, of these sizes, are sent by another thread the moment the kernel takes them.
    pub fn impatient_client(&self, netns: Option<&Netns>, sizes: [usize; 2]) -> Result<End> {
        let connection = NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed);
        let mut outgoing = Outgoing { pattern: Pattern::new(connection, Direction::ToServer), offset: 0 };
        let send = |stream: &TcpStream| {
            let start = Instant::now();
            for size in sizes {
                // Refused with EPIPE before connect and with EAGAIN while it is under way.
                while outgoing.send_once(stream, size, libc::MSG_DONTWAIT).is_err()
                    && start.elapsed() < super::patience()
                {}
            }
        };
        let remote = self.address;
        let stream = inside(netns, || socket::connect_in_the_background(remote, send))??;
        let mut end = End::client(stream, connection);
        let all = sizes.iter().sum::<usize>() as u64;
        ensure!(outgoing.offset == all, "the impatient client sent {} bytes of {all}", outgoing.offset);
        end.outgoing = outgoing;
        Ok(end)
    }

    fn connect(&self, local: Option<SocketAddr>, remote: SocketAddr) -> Result<End> {
        let stream =
            socket::connect(local, remote, self.options).with_context(|| format!("cannot connect to {remote}"))?;
        Ok(End::client(stream, NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed)))
    }

    /// Accepts the servers' ends of these clients, in whatever order they come.
    pub fn accept(&self, clients: Vec<End>) -> Result<Vec<Pair>> {
        let mut waiting = HashMap::new();
        let mut order = Vec::with_capacity(clients.len());
        for client in clients {
            order.push(client.local()?);
            waiting.insert(client.local()?, client);
        }
        let mut pairs = HashMap::new();
        while !waiting.is_empty() {
            let stream = socket::accept(&self.listener, self.options)
                .with_context(|| format!("{} connections to {} were not accepted", waiting.len(), self.address))?;
            let from = socket::canonical(stream.peer_addr()?);
            let Some(client) = waiting.remove(&from) else {
                bail!("{} accepted a connection from {from} that is not ours", self.address)
            };
            let server = End::server(stream, client.connection());
            pairs.insert(from, Pair { client, server });
        }
        order.into_iter().map(|address| pairs.remove(&address).context("two clients of one address")).collect()
    }
}
