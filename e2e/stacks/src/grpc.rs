//! gRPC streams: Go's server, asked by Go and by the C core (in Python).

use anyhow::Result;
use meshaccel_e2e_mesh::process::User;

use super::python;
use super::site::{Running, Site, cached};
use super::stack::{Agent, Asks, HalfClose, Stack};

pub const GRPC: Stack = Stack {
    name: "gRPC streams (Go)",
    server,
    asks: Asks::Programs,
    agents: &[
        Agent {
            name: "gRPC-Go client",
            command: || Ok(vec![cached("stacks-grpc/grpc")?, "client".to_owned()]),
            aborts: false,
        },
        Agent { name: "gRPC C core client", command: || python::client("client_grpc.py"), aborts: false },
    ],
    crowd: false,
    half_close: HalfClose::Steady,
};

fn server(site: &Site<'_>) -> Result<Running> {
    // Not the sidecars' port for HTTP/1.1.
    let port = site.free_port()?;
    let listen = format!("{}:{port}", site.address());
    let process = site.start(User::ROOT, "grpc", &cached("stacks-grpc/grpc")?, &["serve", &listen, &site.base()])?;
    site.ready(port, vec![process])
}
