//! /livez, /readyz and /metrics: for the kubelet and Prometheus.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use meshaccel_service::admin::{self, Bounds};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::metrics::Metrics;
use crate::observe::Cache;

/// What the handlers need.
#[derive(Clone)]
struct Context {
    cache: Cache,
    metrics: Metrics,
}

/// Binds; serves once spawned with [`serve`].
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

/// Serves until cancelled.
pub async fn serve(listener: TcpListener, cache: Cache, metrics: Metrics, stop: CancellationToken) {
    let app = Router::new()
        .route("/livez", get(admin::livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(render))
        .with_state(Context { cache, metrics });
    admin::serve(listener, app, Bounds::default(), stop).await;
}

/// Ready is who knows the cluster, leader or not: the next leader must know it.
async fn readyz(State(context): State<Context>) -> Response {
    let missing = context.cache.missing();
    let listed = missing.is_empty();
    admin::readyz((!listed).then(|| format!("not yet listed: {}; the log says why", missing.join(", "))))
}

async fn render(State(context): State<Context>) -> Response {
    match context.metrics.render() {
        Ok(text) => admin::metrics(text),
        Err(error) => admin::failed(error),
    }
}
