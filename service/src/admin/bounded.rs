//! Serves whoever can reach the port, which in a cluster is every pod: no asker can keep another one from its answer, or
//! make the service hold more than a little memory.
//!
//! One request a connection, a small head, a time for all of it, and so many connections at once. One more takes the place
//! of the oldest: who asks for something short has been answered long before it is the oldest, who only holds a connection
//! open loses it. So the kubelet's probe is answered whatever others do.

use std::collections::VecDeque;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// A request's line and headers.
const LARGEST_HEAD: usize = 16 * 1024;

/// What one listener may be made to hold.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections at once.
    pub connections: usize,
    /// How long a request may take to come.
    pub head: Duration,
    /// How long a connection may last, with its answer.
    pub time: Duration,
}

/// For probes and scrapes.
impl Default for Bounds {
    fn default() -> Self {
        Self { connections: 64, head: Duration::from_secs(3), time: Duration::from_secs(10) }
    }
}

/// Serves until cancelled.
pub async fn serve(mut listener: impl Listener, app: Router, bounds: Bounds, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(bounds.head).max_buf_size(LARGEST_HEAD).keep_alive(false);
    // Dropping the set ends what is left.
    let (mut tasks, mut open) = (JoinSet::new(), VecDeque::<AbortHandle>::new());
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            Some(_) = tasks.join_next() => {
                open.retain(|task| !task.is_finished());
                continue;
            }
            (stream, _) = listener.accept() => stream,
        };
        if open.len() >= bounds.connections
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app.clone()));
        open.push_back(tasks.spawn(async move {
            // Whoever asked badly, too slowly or went away hears no more.
            let _ = tokio::time::timeout(bounds.time, connection).await;
        }));
        // It has its turn before the next one comes: in a burst it would be the oldest before it was read.
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};

    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::*;

    /// Nothing here takes that long unless it is broken.
    const LIMIT: Duration = Duration::from_secs(20);

    /// Serves meanwhile.
    fn serving(bounds: Bounds, body: impl FnOnce(SocketAddr) + Send + 'static) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let app = Router::new().route("/", get(async || "here\n"));
            let stop = CancellationToken::new();
            let server = tokio::spawn(serve(listener, app, bounds, stop.clone()));
            tokio::task::spawn_blocking(move || body(address)).await.unwrap();
            stop.cancel();
            server.await.unwrap();
        });
    }

    fn connect(address: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    /// All that comes, until the connection ends, by FIN or by RST.
    fn rest(mut stream: TcpStream) -> String {
        let (mut all, mut buffer) = (Vec::new(), [0; 1024]);
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => all.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                Err(error) => panic!("the connection does not end: {error}"),
            }
        }
        String::from_utf8(all).unwrap()
    }

    fn ask(address: SocketAddr) -> String {
        let mut stream = connect(address);
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        rest(stream)
    }

    #[test]
    fn who_holds_connections_open_keeps_nobody_out() {
        let bounds = Bounds { connections: 4, head: 10 * LIMIT, time: 10 * LIMIT };
        serving(bounds, |address| {
            let held: Vec<_> = (0..32).map(|_| connect(address)).collect();
            assert!(ask(address).ends_with("here\n"));
            // The oldest has lost its place, long before its time is over.
            for stream in held.into_iter().take(28) {
                assert_eq!(rest(stream), "");
            }
        });
    }

    #[test]
    fn a_connection_ends_with_its_answer() {
        serving(Bounds::default(), |address| assert!(ask(address).contains("connection: close")));
    }

    #[test]
    fn a_request_that_never_ends_is_not_waited_for() {
        serving(Bounds::default(), |address| {
            let mut slow = connect(address);
            slow.write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
            assert!(!rest(slow).contains("here"));
        });
    }

    #[test]
    fn a_head_without_end_is_refused() {
        serving(Bounds::default(), |address| {
            let mut large = connect(address);
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(4 * LARGEST_HEAD));
            // It may be refused before all of it is written.
            let _ = large.write_all(head.as_bytes());
            assert!(!rest(large).contains("here"));
        });
    }
}
