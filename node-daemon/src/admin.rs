//! The admin endpoint: /livez, /readyz, /metrics, /connections, /status. Read-only, and on loopback unless told otherwise:
//! it names the pods of the node.

use std::net::SocketAddr;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::kernel::pins::Layout;
use crate::status::Shared;
use crate::{Chain, Error, connections, metrics};

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
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/connections", get(connections))
        .route("/status", get(async |State(context): State<Context>| Json(context.status.get())))
        .with_state(Context { layout, status });
    let result = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await;
    if let Err(error) = result {
        tracing::error!(%error, "The admin endpoint ended");
    }
}

async fn readyz(State(context): State<Context>) -> Response {
    if context.status.get().ready {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the kernel programs do not run yet\n").into_response()
    }
}

async fn metrics(State(context): State<Context>) -> Response {
    match metrics::render(&context.layout, &context.status) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn connections(State(context): State<Context>) -> Response {
    match connections::rows(&context.layout) {
        Ok(rows) => Json(rows).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{}\n", Chain(&error))).into_response(),
    }
}
