//! The HTTP endpoint for the kubelet and Prometheus. Each service adds its routes.

mod bounded;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

pub use bounded::{Bounds, serve};

/// The answer of /livez: who answers lives.
pub async fn livez() -> &'static str {
    "ok\n"
}

/// The answer of /readyz: ready, or what is missing.
pub fn readyz(missing: Option<String>) -> Response {
    match missing {
        None => "ok\n".into_response(),
        Some(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("{missing}\n")).into_response(),
    }
}

/// The answer of /metrics, in the text format of OpenMetrics 1.0.
pub fn metrics(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}

/// The answer when something could not be read.
pub fn failed(error: impl std::fmt::Display) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response()
}
