//! /livez, /readyz and /metrics: for the kubelet and Prometheus.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::metrics::Metrics;
use crate::observe::World;

/// What the handlers need.
#[derive(Clone)]
struct Context {
    world: World,
    metrics: Metrics,
}

/// Binds; serves once spawned with [`serve`].
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

/// Serves until cancelled.
pub async fn serve(listener: TcpListener, world: World, metrics: Metrics, stop: CancellationToken) {
    let app = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(render))
        .with_state(Context { world, metrics });
    let result = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await;
    if let Err(error) = result {
        tracing::error!(%error, "The admin endpoint ended");
    }
}

/// Ready is who knows the cluster, leader or not: the next leader must know it.
async fn readyz(State(context): State<Context>) -> Response {
    let missing = context.world.missing();
    if missing.is_empty() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("not yet listed: {}; the log says why\n", missing.join(", ")))
        .into_response()
}

async fn render(State(context): State<Context>) -> Response {
    match context.metrics.render() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
