//! The admin endpoint: /livez, /readyz, /metrics, /connections, /status. Read-only, and on loopback unless told otherwise:
//! it names the pods of the node.

use std::net::SocketAddr;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use meshaccel_service::{Chain, admin};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::kernel::pins::Layout;
use crate::status::Shared;
use crate::{Error, connections, metrics};

/// What the handlers need.
#[derive(Clone)]
struct Context {
    layout: Layout,
    status: Shared,
}

/// Binds; serves once spawned with [`serve`].
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

/// Serves until cancelled.
pub async fn serve(listener: TcpListener, layout: Layout, status: Shared, stop: CancellationToken) {
    let app = Router::new()
        .route("/livez", get(admin::livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/connections", get(connections))
        .route("/status", get(async |State(context): State<Context>| Json(context.status.get())))
        .with_state(Context { layout, status });
    admin::serve(listener, app, stop).await;
}

async fn readyz(State(context): State<Context>) -> Response {
    let ready = context.status.get().ready;
    admin::readyz((!ready).then(|| "the kernel programs do not run yet".to_owned()))
}

async fn metrics(State(context): State<Context>) -> Response {
    match metrics::render(&context.layout, &context.status) {
        Ok(text) => admin::metrics(text),
        Err(error) => admin::failed(error),
    }
}

async fn connections(State(context): State<Context>) -> Response {
    match connections::rows(&context.layout) {
        Ok(rows) => Json(rows).into_response(),
        Err(error) => admin::failed(Chain(&error)),
    }
}
