//! HAProxy before nginx, as it is and with splice(2).

use std::net::Ipv4Addr;

use anyhow::Result;
use meshaccel_e2e_mesh::process::User;

use super::http::Dialect;
use super::nginx;
use super::site::{Running, Site, program};
use super::stack::{Asks, HalfClose, Stack};

pub const HAPROXY: Stack = Stack {
    name: "HAProxy",
    server: |site| server(site, ""),
    asks: Asks::Http(Dialect::Files),
    agents: &[],
    crowd: true,
    half_close: HalfClose::Steady,
};
pub const SPLICING: Stack = Stack {
    name: "HAProxy, option splice-auto",
    server: |site| server(site, "option splice-auto"),
    asks: Asks::Http(Dialect::Files),
    agents: &[],
    crowd: true,
    half_close: HalfClose::Steady,
};

fn server(site: &Site<'_>, option: &str) -> Result<Running> {
    let (port, origin) = (site.http_port()?, site.free_port()?);
    let mut processes = vec![nginx::start(site, &format!("127.0.0.1:{origin}"))?];
    site.listening(Ipv4Addr::LOCALHOST.into(), origin, &mut processes)?;
    let configuration = site.write(
        "haproxy.cfg",
        &format!(
            "global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  {option}
listen front
  bind {}:{port}
  server origin 127.0.0.1:{origin}
",
            site.address()
        ),
    )?;
    processes.push(site.start(User::APP, "haproxy", &program("haproxy")?, &["-db", "-f", &configuration])?);
    site.ready(port, processes)
}
