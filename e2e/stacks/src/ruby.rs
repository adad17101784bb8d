//! Puma: a reactor thread and a pool of threads; non-blocking reads, IO#select. It asks TCP_INFO before it answers, and answers nobody
//! who has closed a half.

use anyhow::Result;
use meshaccel_e2e_mesh::process::User;

use super::http::Dialect;
use super::site::{Running, Site, program, script};
use super::stack::{Asks, HalfClose, Stack};

pub const PUMA: Stack = Stack {
    name: "Ruby Puma",
    server,
    asks: Asks::Http(Dialect::Program),
    agents: &[],
    crowd: true,
    half_close: HalfClose::Races,
};

fn server(site: &Site<'_>) -> Result<Running> {
    let port = site.http_port()?;
    let (base, bind) = (format!("STACK_BASE={}", site.base()), format!("tcp://{}:{port}", site.address()));
    let (puma, rack) = (program("puma")?, script("ruby/config.ru"));
    let arguments =
        [base.as_str(), &puma, "--quiet", "-C", "-", "-e", "production", "-t", "8:8", "--bind", &bind, &rack];
    let process = site.start(User::ROOT, "puma", "/usr/bin/env", &arguments)?;
    site.ready(port, vec![process])
}
