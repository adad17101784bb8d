//! The admin endpoint, read-only, in two places:
//!
//! * `--admin-address`: /livez, /readyz and /metrics. In a cluster every pod can reach it, so it names nobody, and what it
//!   costs to ask is bounded.
//! * `--admin-socket`, a Unix socket of root's: these, and /connections and /status, which name the pods of the node.
//!
//! Both are served by a thread of their own: whatever is asked, the daemon's loop goes on, on which readers may hang. So
//! /livez asks after that loop.

mod client;
mod socket;
mod turns;

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use meshaccel_service::admin::{self, Bounds};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

pub use self::client::command;
use meshaccel_model::View;

use self::turns::Turns;
use crate::status::Shared;
use crate::{Error, metrics};

/// Where the Unix socket is unless told otherwise.
pub const SOCKET: &str = "/run/meshaccel/admin.sock";

/// A loop that has not turned for so long hangs. It turns every second; the self-test before it, and replacing another
/// version's maps, take some seconds.
const HANGS: Duration = Duration::from_secs(60);
/// Whoever scrapes from outside gets what was counted within this time: asking more often costs nothing.
const SCRAPED: Duration = Duration::from_secs(1);
/// On the Unix socket: the list of a node with many connections takes a while.
const PRIVATE: Bounds = Bounds { connections: 16, head: Duration::from_secs(3), time: Duration::from_secs(60) };

/// What the handlers need.
#[derive(Clone)]
struct Context {
    views: Arc<[Arc<dyn View>]>,
    status: Shared,
    metrics: Turns<String>,
    pages: Turns<()>,
    /// How old an answer of /metrics may be.
    scraped: Duration,
}

/// Both places, bound.
#[derive(Debug)]
pub struct Endpoint {
    public: TcpListener,
    private: UnixListener,
    socket: PathBuf,
}

impl Endpoint {
    /// Binds; whoever asks waits until [`Self::serve`].
    pub fn bind(address: SocketAddr, socket: &Path) -> Result<Self, Error> {
        let listen = |source| Error::Listen { address, source };
        let public = TcpListener::bind(address).map_err(listen)?;
        public.set_nonblocking(true).map_err(listen)?;
        let private = socket::bind(socket).map_err(|source| Error::ListenAt { path: socket.to_owned(), source })?;
        Ok(Self { public, private, socket: socket.to_owned() })
    }

    /// Serves, in a thread of its own.
    pub fn serve(self, views: Vec<Arc<dyn View>>, status: Shared) -> std::io::Result<Server> {
        let stop = CancellationToken::new();
        let mut server = Server { stop: stop.clone(), thread: None, socket: self.socket };
        // One thread more for what blocks: what is asked for there comes one by one.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(2).build()?;
        let (public, private) = {
            let _inside = runtime.enter();
            (tokio::net::TcpListener::from_std(self.public)?, tokio::net::UnixListener::from_std(self.private)?)
        };
        let views: Arc<[_]> = views.into();
        let private_routes = all(&views);
        let context =
            Context { views, status, metrics: Turns::default(), pages: Turns::default(), scraped: Duration::ZERO };
        let thread = std::thread::Builder::new().name("admin".into()).spawn(move || {
            runtime.block_on(async {
                let for_all = Context { scraped: SCRAPED, ..context.clone() };
                let for_all = probes().fallback(elsewhere).with_state(for_all);
                tokio::join!(
                    admin::serve(public, for_all, Bounds::default(), stop.clone()),
                    admin::serve(private, private_routes.with_state(context), PRIVATE, stop.clone()),
                );
            });
            // A list that is being made must not hold up the daemon's end.
            runtime.shutdown_background();
        })?;
        server.thread = Some(thread);
        Ok(server)
    }
}

/// A running endpoint. Dropping it ends it.
pub struct Server {
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
    socket: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.socket);
    }
}

fn probes() -> Router<Context> {
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).route("/metrics", get(metrics))
}

fn all(views: &[Arc<dyn View>]) -> Router<Context> {
    views.iter().fold(probes().route("/status", get(status)), |router, view| {
        let view = view.clone();
        router.route(view.page(), get(async move |State(context): State<Context>| page(view, &context.pages).await))
    })
}

async fn elsewhere() -> Response {
    let told =
        "here are /livez, /readyz and /metrics; /connections and /status are on the Unix socket of --admin-socket\n";
    (StatusCode::NOT_FOUND, told).into_response()
}

async fn livez(State(context): State<Context>) -> Response {
    let still = context.status.still_for();
    if still < HANGS {
        return admin::livez().await.into_response();
    }
    let told = format!("the daemon's loop has not turned for {} s\n", still.as_secs());
    (StatusCode::SERVICE_UNAVAILABLE, told).into_response()
}

async fn readyz(State(context): State<Context>) -> Response {
    let status = context.status.get();
    let unsupported = context.views.iter().find_map(|view| view.unsupported());
    match (status.ready, unsupported) {
        (true, None) => admin::readyz(None),
        // There is nothing to wait for.
        (true, Some(unsupported)) => format!("ok, but nothing is accelerated here: {unsupported}\n").into_response(),
        (false, unsupported) => {
            let missing = unsupported.unwrap_or_else(|| "the kernel programs do not run yet".into());
            admin::readyz(Some(missing))
        }
    }
}

async fn metrics(State(context): State<Context>) -> Response {
    let Context { views, metrics, scraped, .. } = context;
    match metrics.take(scraped, move || metrics::render(&views)).await {
        Some(Ok(text)) => admin::metrics(text),
        Some(Err(error)) => admin::failed(error),
        None => busy(),
    }
}

async fn status(State(context): State<Context>) -> Response {
    let mut told = match serde_json::to_value(context.status.get()) {
        Ok(Value::Object(told)) => told,
        Ok(_) => Map::new(),
        Err(error) => return admin::failed(error),
    };
    told.extend(context.views.iter().flat_map(|view| view.status()));
    Json(told).into_response()
}

async fn page(view: Arc<dyn View>, turns: &Turns<()>) -> Response {
    match turns.pass(move || view.rows()).await {
        Some(Ok(rows)) => Json(rows).into_response(),
        Some(Err(error)) => admin::failed(error),
        None => busy(),
    }
}

fn busy() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "others are asking for the same; it is made for one at a time\n").into_response()
}
