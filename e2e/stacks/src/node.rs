//! Node's http and websockets (ws): libuv, level-triggered epoll, non-blocking.

use anyhow::Result;
use meshaccel_e2e_mesh::process::User;

use super::http::Dialect;
use super::site::{Running, Site, cached, program, script};
use super::stack::{Agent, Asks, HalfClose, Stack};
use super::{golang, python};

pub const NODE: Stack = Stack {
    name: "Node http",
    server: |site| server(site, site.http_port()?, &[]),
    asks: Asks::Http(Dialect::Program),
    agents: &[],
    crowd: true,
    half_close: HalfClose::Steady,
};
pub const CLIENT: Stack = Stack {
    name: "Node http client",
    server: golang::server,
    asks: Asks::Programs,
    agents: &[Agent {
        name: "Node, to Go",
        command: || Ok(vec![program("node")?, script("node/client.js")]),
        aborts: true,
    }],
    crowd: false,
    half_close: HalfClose::Steady,
};
pub const WEBSOCKETS: Stack = Stack {
    name: "websockets (Node ws)",
    server: websockets,
    asks: Asks::Programs,
    agents: &[Agent {
        name: "Python websockets, to Node ws",
        command: || python::client("client_websockets.py"),
        aborts: false,
    }],
    crowd: false,
    half_close: HalfClose::Steady,
};

fn server(site: &Site<'_>, port: u16, more: &[&str]) -> Result<Running> {
    let (address, text, base) = (site.address().to_string(), port.to_string(), site.base());
    let script = script("node/server.js");
    let arguments = [&[script.as_str(), &address, &text, &base], more].concat();
    site.ready(port, vec![site.start(User::ROOT, "node", &program("node")?, &arguments)?])
}

fn websockets(site: &Site<'_>) -> Result<Running> {
    let package = cached("stacks-node/node_modules/ws/package.json")?;
    let folder = package.trim_end_matches("/node_modules/ws/package.json");
    // Not the sidecars' port for HTTP, which knows no upgrades.
    server(site, site.free_port()?, &[folder])
}
