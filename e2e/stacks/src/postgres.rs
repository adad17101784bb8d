//! PostgreSQL 15: a process a connection, non-blocking descriptors, level-triggered epoll.

use std::time::Duration;

use anyhow::{Context, Result};
use meshaccel_e2e_harness::interrupt;
use meshaccel_e2e_mesh::process::User;
use meshaccel_e2e_mesh::servers::postgres_program;
use nix::sys::signal::Signal;

use super::pgwire::Postgres;
use super::python;
use super::session::Target;
use super::site::{Running, Site};
use super::stack::{Agent, Asks, HalfClose, Stack};

pub const POSTGRES: Stack = Stack {
    name: "PostgreSQL",
    server,
    asks: Asks::Own(|target| Ok(Box::new(Postgres::connect(target)?))),
    agents: &[Agent { name: "psycopg (libpq)", command: || python::client("client_psycopg.py"), aborts: false }],
    crowd: true,
    half_close: HalfClose::Steady,
};

pub fn server(site: &Site<'_>) -> Result<Running> {
    let folder = site.folder("postgres", User::APP)?;
    let (data, sockets) = (folder.join("data"), folder.display().to_string());
    let path = data.display().to_string();
    let arguments = ["-D", &path, "-U", "app", "--auth", "trust", "--no-sync", "--encoding", "UTF8", "--locale", "C"];
    site.run(User::APP, "initdb", &postgres_program("initdb")?, &arguments)?;
    std::fs::write(data.join("pg_hba.conf"), "host all all all trust\n")?;
    let (port, address) = (site.free_port()?, format!("listen_addresses={}", site.address()));
    let text = port.to_string();
    let arguments =
        ["-D", &path, "-p", &text, "-c", &address, "-c", "fsync=off", "-c", "shared_buffers=32MB", "-k", &sockets];
    // SIGQUIT ends it at once and still frees its shared memory, which SIGKILL would leave behind.
    let process =
        site.start_with(User::APP, Signal::SIGQUIT, "postgres", &postgres_program("postgres")?, &arguments)?;
    let running = site.ready(port, vec![process])?;
    let target = Target { netns: site.netns(), address: (site.address(), port).into() };
    // It listens before it lets anybody in.
    let mut session = interrupt::until("PostgreSQL to let clients in", Duration::from_secs(30), || {
        Ok(Postgres::connect(target).ok())
    })?;
    session.fill().context("cannot make the table")?;
    Ok(running)
}
