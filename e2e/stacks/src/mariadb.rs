//! MariaDB: a thread a connection, blocking descriptors with time-outs; asked by PyMySQL.

use std::time::Duration;

use anyhow::{Context, Result};
use meshaccel_e2e_harness::interrupt;
use meshaccel_e2e_mesh::process::User;
use nix::sys::signal::Signal;

use super::python;
use super::site::{Running, Site, program};
use super::stack::{Agent, Asks, HalfClose, Stack};

pub const MARIADB: Stack = Stack {
    name: "MariaDB",
    server,
    asks: Asks::Programs,
    agents: &[Agent { name: "PyMySQL, to MariaDB", command: || python::client("client_pymysql.py"), aborts: false }],
    crowd: false,
    half_close: HalfClose::Steady,
};

fn server(site: &Site<'_>) -> Result<Running> {
    let folder = site.folder("mariadb", User::APP)?;
    let (data, d) = (folder.join("data").display().to_string(), folder.display().to_string());
    let datadir = format!("--datadir={data}");
    let install = ["--no-defaults", &datadir, "--auth-root-authentication-method=normal", "--skip-test-db"];
    site.run(User::APP, "mariadb-install-db", &program("mariadb-install-db")?, &install)?;
    let socket = format!("{d}/socket");
    std::fs::copy(site.base(), folder.join("base"))?;
    let init = site.write(
        "mariadb.sql",
        &format!(
            "create user app@'%';\ngrant all on *.* to app@'%';\ncreate database test;\n\
             create table test.base as select load_file('{d}/base') as b;\n"
        ),
    )?;
    let port = site.free_port()?;
    let (text, bind) = (format!("--port={port}"), format!("--bind-address={}", site.address()));
    let (socket_option, init) = (format!("--socket={socket}"), format!("--init-file={init}"));
    let arguments = [
        "--no-defaults",
        &datadir,
        &text,
        &bind,
        &socket_option,
        &init,
        "--max-allowed-packet=32M",
        "--skip-name-resolve",
        "--secure-file-priv=",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-log-file-size=64M",
    ];
    let process = site.start_with(User::APP, Signal::SIGKILL, "mariadbd", &program("mariadbd")?, &arguments)?;
    let running = site.ready(port, vec![process])?;
    let client = program("mariadb")?;
    let (host, text) = (site.address().to_string(), port.to_string());
    let query = ["--no-defaults", "-h", &host, "-P", &text, "-u", "app", "-e", "select length(b) from test.base"];
    interrupt::until("MariaDB to have its table", Duration::from_secs(30), || {
        Ok(site.run(User::APP, "mariadb", &client, &query).ok())
    })
    .context("cannot make the table")?;
    Ok(running)
}
