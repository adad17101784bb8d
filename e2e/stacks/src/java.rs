//! Java: Tomcat (NIO, level-triggered, descriptors that wait in threads), Netty over NIO and over its own edge-triggered epoll,
//! java.net.http.HttpClient, and PostgreSQL's JDBC driver (a java.net.Socket, `available()` is FIONREAD).

use anyhow::{Context, Result};
use meshaccel_e2e_mesh::process::User;

use super::http::Dialect;
use super::site::{Running, Site, cached, program};
use super::stack::{Agent, Asks, HalfClose, Stack};
use super::{golang, postgres};

const fn http(name: &'static str, server: fn(&Site<'_>) -> Result<Running>) -> Stack {
    Stack { name, server, asks: Asks::Http(Dialect::Program), agents: &[], crowd: true, half_close: HalfClose::Steady }
}

const fn client(name: &'static str, server: fn(&Site<'_>) -> Result<Running>, agents: &'static [Agent]) -> Stack {
    Stack { name, server, asks: Asks::Programs, agents, crowd: false, half_close: HalfClose::Steady }
}

pub const TOMCAT: Stack = http("Tomcat", tomcat);
pub const NETTY_NIO: Stack = http("Netty, NIO", |site| netty(site, "nio"));
pub const NETTY_EPOLL: Stack = http("Netty, epoll", |site| netty(site, "epoll"));
pub const HTTP_CLIENT: Stack = client(
    "java.net.http.HttpClient",
    golang::server,
    &[Agent { name: "HttpClient, to Go", command: || command("HttpClientAgent"), aborts: true }],
);
pub const JDBC: Stack = client(
    "JDBC (PostgreSQL)",
    postgres::server,
    &[Agent { name: "JDBC, to PostgreSQL", command: || command("JdbcAgent"), aborts: false }],
);

/// The JVM with the classes of e2e/stacks/java.
fn command(class: &str) -> Result<Vec<String>> {
    let one = cached("stacks-java/classes/Base.class")?;
    let root = one.strip_suffix("/classes/Base.class").context("a class without a folder")?;
    let path = format!("{root}/classes:{root}/jars/*");
    Ok(vec![program("java")?, "-Xmx512m".to_owned(), "-cp".to_owned(), path, class.to_owned()])
}

fn start(site: &Site<'_>, class: &str, last: &str) -> Result<Running> {
    let port = site.http_port()?;
    let mut command = command(class)?;
    command.extend([site.address().to_string(), port.to_string(), site.base(), last.to_owned()]);
    let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    site.ready(port, vec![site.start(User::ROOT, "java", arguments[0], &arguments[1..])?])
}

fn tomcat(site: &Site<'_>) -> Result<Running> {
    let folder = site.folder("tomcat", User::ROOT)?;
    start(site, "TomcatServer", &folder.display().to_string())
}

fn netty(site: &Site<'_>, transport: &str) -> Result<Running> {
    start(site, "NettyServer", transport)
}
