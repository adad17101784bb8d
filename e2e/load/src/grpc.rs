//! gRPC: a service that returns what it is sent, and a client that compares. Messages are bytes without a schema; all
//! else (HTTP/2, framing, status in trailers) is what any gRPC program does.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::task;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::content::pattern;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{Body, BoxFuture, Bytes, Service, http};
use tonic::server::UnaryService;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

use super::client::{Phase, Times};
use super::link::PATIENCE_MS;

const METHOD: PathAndQuery = PathAndQuery::from_static("/meshaccel.Echo/Say");
/// So many places where a message may begin.
const BEGINNINGS: usize = 1009;
const PATIENCE: Duration = Duration::from_millis(PATIENCE_MS as u64);

/// Messages are their bytes.
#[derive(Debug, Default, Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put(into, message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = bytes::Buf::remaining(from);
        Ok(Some(bytes::Buf::copy_to_bytes(from, length)))
    }
}

/// The service, whatever the method is called.
#[derive(Debug, Clone, Copy)]
struct Echo;

impl UnaryService<Bytes> for Echo {
    type Response = Bytes;
    type Future = Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        ready(Ok(Response::new(request.into_inner())))
    }
}

impl<B> Service<http::Request<B>> for Echo
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<tonic::codegen::StdError> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> task::Poll<Result<(), Infallible>> {
        task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).unary(Self, request).await) })
    }
}

/// Serves until its task ends.
pub(super) async fn serve(address: SocketAddr) -> Result<()> {
    Server::builder().serve(address, Echo).await.with_context(|| format!("cannot serve gRPC on {address}"))
}

/// One HTTP/2 connection of its own.
#[derive(Debug)]
pub(super) struct Caller(tonic::client::Grpc<Channel>);

impl Caller {
    pub(super) async fn connect(server: SocketAddr) -> Result<Self> {
        let endpoint = Endpoint::from_shared(format!("http://{server}"))?.connect_timeout(PATIENCE).timeout(PATIENCE);
        Ok(Self(tonic::client::Grpc::new(endpoint.connect().await.context("the gRPC server does not listen")?)))
    }

    /// One call; whether what came back is what was sent. A status other than OK is an error.
    pub(super) async fn call(&mut self, message: Bytes) -> Result<bool> {
        self.0.ready().await.context("the connection is gone")?;
        let answer = self.0.unary(Request::new(message.clone()), METHOD, Raw).await;
        let answer = answer.map_err(|status| anyhow::anyhow!("gRPC status {}: {}", status.code(), status.message()))?;
        Ok(answer.into_inner() == message)
    }
}

/// All connections of a client, each with one call outstanding.
#[derive(Debug)]
pub(super) struct Calls {
    runtime: tokio::runtime::Runtime,
    callers: Vec<Caller>,
    /// Messages are pieces of it.
    all: Bytes,
    size: usize,
}

impl Calls {
    pub(super) fn new(server: SocketAddr, size: usize, connections: usize) -> Result<Self> {
        let runtime = runtime()?;
        let mut callers = Vec::new();
        for _ in 0..connections {
            callers.push(runtime.block_on(Caller::connect(server))?);
        }
        Ok(Self { runtime, callers, all: pattern(size + BEGINNINGS).into(), size })
    }

    pub(super) fn run(&mut self, end: Instant) -> Result<Phase> {
        let (size, all) = (self.size, &self.all);
        let conversations = self.callers.iter_mut().enumerate().map(|(number, caller)| async move {
            let mut times: Vec<Duration> = Vec::new();
            loop {
                let start = Instant::now();
                if start >= end {
                    return Ok::<_, anyhow::Error>(times);
                }
                // Each call has a message of its own: the answer to another one does not fit.
                let at = (number * 101 + times.len() * 7) % BEGINNINGS;
                ensure!(caller.call(all.slice(at..at + size)).await?, "a wrong answer");
                times.push(start.elapsed());
            }
        });
        let all = self.runtime.block_on(futures::future::try_join_all(conversations))?;
        let (mut phase, mut times) = (Phase::default(), Times::default());
        for time in all.into_iter().flatten() {
            phase.operations += 1;
            times.add(time);
        }
        phase.sent = phase.operations * size as u64;
        phase.received = phase.sent;
        (phase.p50_us, phase.p99_us) = times.percentiles();
        Ok(phase)
    }
}

/// One thread, as the event loops of the other loads have.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_come_back_as_they_were_sent() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        std::thread::spawn(move || runtime().unwrap().block_on(serve(address)));
        for size in [64, 64 << 10] {
            let mut calls =
                meshaccel_e2e_harness::wait::wait_for(PATIENCE, "the server", || Calls::new(address, size, 3)).unwrap();
            let phase = calls.run(Instant::now() + Duration::from_millis(50)).unwrap();
            assert!(phase.operations >= 3 && phase.received == phase.operations * size as u64, "{phase:?}");
        }
    }
}
