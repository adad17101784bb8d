//! A tokio pair: axum, and a client on a tokio socket. Edge-triggered epoll; a short read is taken for the end.

use anyhow::Result;
use meshaccel_e2e_mesh::process::User;

use super::http::Dialect;
use super::site::{Running, Site};
use super::stack::{Agent, Asks, HalfClose, Stack};

pub const TOKIO: Stack = Stack {
    name: "Rust tokio (axum)",
    server,
    asks: Asks::Http(Dialect::Program),
    agents: &[Agent { name: "tokio client", command: || Ok(vec![binary()?, "client".to_owned()]), aborts: true }],
    crowd: true,
    half_close: HalfClose::Races,
};

/// meshaccel-stack lies beside the other binaries of this build.
fn binary() -> Result<String> {
    let path = meshaccel_e2e_harness::daemon::built("meshaccel-stack", "MESHACCEL_STACK")?;
    Ok(path.to_string_lossy().into_owned())
}

fn server(site: &Site<'_>) -> Result<Running> {
    let port = site.http_port()?;
    let process = site.start(User::ROOT, "tokio", &binary()?, &["serve", &format!("{}:{port}", site.address())])?;
    site.ready(port, vec![process])
}
