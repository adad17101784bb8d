//! Go's net/http: non-blocking sockets, edge-triggered epoll, every read tried before it is waited for.

use anyhow::Result;
use meshaccel_e2e_mesh::process::User;

use super::http::Dialect;
use super::site::{Running, Site, cached};
use super::stack::{Agent, Asks, HalfClose, Stack};

pub const GO: Stack = Stack {
    name: "Go net/http",
    server,
    asks: Asks::Http(Dialect::Program),
    agents: &[Agent {
        name: "Go client",
        command: || Ok(vec![cached("stacks-go/go")?, "client".to_owned()]),
        aborts: true,
    }],
    crowd: true,
    half_close: HalfClose::Steady,
};

/// Also what clients of other languages are tried against.
pub fn server(site: &Site<'_>) -> Result<Running> {
    let port = site.http_port()?;
    let listen = format!("{}:{port}", site.address());
    let process = site.start(User::ROOT, "go", &cached("stacks-go/go")?, &["serve", &listen, &site.base()])?;
    site.ready(port, vec![process])
}
