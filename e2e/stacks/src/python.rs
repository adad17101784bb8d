//! Python: gunicorn's workers, uvicorn, and clients.

use anyhow::Result;
use meshaccel_e2e_mesh::process::User;

use super::golang;
use super::http::Dialect;
use super::site::{Running, Site, cached, script};
use super::stack::{Agent, Asks, HalfClose, Stack};

const fn http(name: &'static str, server: fn(&Site<'_>) -> Result<Running>, crowd: bool) -> Stack {
    Stack { name, server, asks: Asks::Http(Dialect::Program), agents: &[], crowd, half_close: HalfClose::Steady }
}

/// A thread a request; makes its descriptor blocking for each and non-blocking between them.
pub const GTHREAD: Stack = http("gunicorn gthread", |site| gunicorn(site, &["-k", "gthread", "--threads", "8"]), true);
/// One blocking connection at a time, closed after each answer.
pub const SYNC: Stack = http("gunicorn sync", |site| gunicorn(site, &["-k", "sync"]), false);
pub const GEVENT: Stack = http("gunicorn gevent", |site| gunicorn(site, &["-k", "gevent"]), true);
pub const UVICORN: Stack = http("uvicorn", uvicorn, true);
pub const REQUESTS: Stack = Stack {
    name: "requests",
    server: golang::server,
    asks: Asks::Programs,
    agents: &[Agent { name: "requests, to Go", command: || client("client_requests.py"), aborts: true }],
    crowd: false,
    half_close: HalfClose::Steady,
};
pub const AIOHTTP: Stack = Stack {
    name: "aiohttp",
    server: golang::server,
    asks: Asks::Programs,
    agents: &[Agent { name: "aiohttp, to Go", command: || client("client_aiohttp.py"), aborts: true }],
    crowd: false,
    half_close: HalfClose::Steady,
};

/// The command of a client in Python.
pub fn client(name: &str) -> Result<Vec<String>> {
    Ok(vec!["/usr/bin/env".to_owned(), python("python3")?, script(&format!("python/{name}"))])
}

/// A program of the environment that scripts/setup.sh made. Started by env(1): an interpreter finds its environment by the
/// path it was started with, which must be its own.
fn python(name: &str) -> Result<String> {
    cached(&format!("stacks-python/bin/{name}"))
}

fn start(site: &Site<'_>, module: &str, listen: &[&str]) -> Result<meshaccel_e2e_mesh::process::Process> {
    let (base, path) = (format!("STACK_BASE={}", site.base()), format!("PYTHONPATH={}", script("python")));
    let python = python("python3")?;
    let arguments = [&[base.as_str(), &path, "PYTHONDONTWRITEBYTECODE=1", &python, "-m", module], listen].concat();
    site.start(User::ROOT, module, "/usr/bin/env", &arguments)
}

fn gunicorn(site: &Site<'_>, worker: &[&str]) -> Result<Running> {
    let port = site.http_port()?;
    let (bind, folder) = (format!("{}:{port}", site.address()), site.folder("gunicorn", User::ROOT)?);
    let folder = folder.display().to_string();
    let common = ["--bind", &bind, "--worker-tmp-dir", &folder, "--keep-alive", "60", "--no-control-socket"];
    let arguments = [&common[..], worker, &["app:wsgi"]].concat();
    site.ready(port, vec![start(site, "gunicorn", &arguments)?])
}

fn uvicorn(site: &Site<'_>) -> Result<Running> {
    let (port, host) = (site.http_port()?, site.address().to_string());
    let text = port.to_string();
    let arguments =
        ["--host", &host, "--port", &text, "--timeout-keep-alive", "60", "--log-level", "warning", "app:asgi"];
    site.ready(port, vec![start(site, "uvicorn", &arguments)?])
}
