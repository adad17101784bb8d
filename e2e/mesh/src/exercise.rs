//! Every kind of traffic through a mesh, every byte compared: what must work plain, accelerated, and while acceleration
//! comes, goes, and is killed.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::files::{self, Http};
use super::process::{Process, User};
use super::talk::{self, Echo, Redis, Server};
use super::{Mesh, ports, servers};
use crate::generator::h2load;

/// All servers of the server pod.
#[derive(Debug)]
pub struct Servers {
    _programs: [Process; 4],
    _threads: [Server; 2],
}

impl Servers {
    pub fn start(mesh: &Mesh) -> Result<Self> {
        let pod = mesh.server();
        let programs = [servers::nginx(pod)?, servers::redis(pod)?, servers::postgres(pod)?, servers::iperf(pod)?];
        Ok(Self { _programs: programs, _threads: [talk::echo_server(pod)?, talk::greeting_server(pod)?] })
    }
}

/// Addresses of the server that the mesh's rules intercept.
pub fn addresses(mesh: &Mesh) -> Vec<IpAddr> {
    let both = [mesh.server().v4(), mesh.server().v6()];
    both.into_iter().filter(|&address| mesh.provider().intercepts(address)).collect()
}

/// All of it once, over each address family; a long stream runs beside the rest.
pub fn everything(mesh: &Mesh) -> Result<()> {
    std::thread::scope(|scope| {
        let stream = scope.spawn(|| files::download(mesh.client(), mesh.server().v4(), Http::One, "slow/10m"));
        for address in addresses(mesh) {
            http(mesh, address).with_context(|| format!("HTTP to {address}"))?;
            tcp(mesh, address).with_context(|| format!("TCP to {address}"))?;
            bulk(mesh, address).with_context(|| format!("iperf3 to {address}"))?;
            postgres(mesh, address).with_context(|| format!("PostgreSQL at {address}"))?;
        }
        stream.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).context("a long stream")
    })
}

/// Small answers, large bodies in both directions, and many streams on few connections.
pub fn http(mesh: &Mesh, address: IpAddr) -> Result<()> {
    let (client, server) = (mesh.client(), mesh.server());
    for version in [Http::One, Http::Two] {
        for file in ["1k", "64k", "10m"] {
            files::download(client, address, version, file)?;
        }
        files::upload(client, server, address, version, 10 << 20)?;
    }
    let url = format!("http://{}:{}/1k", files::host(address), ports::HTTP2);
    h2load::run(client, &url, 200, 4, 10)?.check()
}

/// Request/response and bulk through the echo, a server that speaks first, and Redis.
pub fn tcp(mesh: &Mesh, address: IpAddr) -> Result<()> {
    let client = mesh.client();
    let mut echo = Echo::connect(client, address)?;
    for size in [1, 64, 4096, 100_000] {
        echo.ping(50, size)?;
    }
    echo.stream(4 << 20)?;
    talk::greet(client, address, 50)?;
    Redis::connect(client, address)?.exercise(1 << 20, 500)
}

/// One-way streams at full speed, up and down.
fn bulk(mesh: &Mesh, address: IpAddr) -> Result<()> {
    let (host, port) = (address.to_string(), ports::IPERF.to_string());
    for direction in [&[][..], &["--reverse"]] {
        let arguments = [&["--client", &host, "--port", &port, "--bytes", "50M"], direction].concat();
        mesh.client().output(User::APP, "iperf3", &arguments, Duration::from_secs(30))?;
    }
    Ok(())
}

/// Transactions by pgbench, and a large result whose hash the server also computes.
fn postgres(mesh: &Mesh, address: IpAddr) -> Result<()> {
    let (host, port, client) = (address.to_string(), ports::POSTGRES.to_string(), mesh.client());
    let run = |program: &str, arguments: &[&str]| {
        let program = servers::postgres_program(program)?;
        let all = [&["-h", &host, "-p", &port, "-U", "app"], arguments, &["postgres"]].concat();
        client.output(User::APP, &program, &all, Duration::from_secs(30))
    };
    run("pgbench", &["--initialize", "--quiet"])?;
    run("pgbench", &["--client", "4", "--transactions", "25", "--no-vacuum"])?;
    let rows = "select string_agg(md5(n::text), '') from generate_series(1, 30000) n";
    let body = run("psql", &["-qAt", "-c", rows])?;
    ensure!(body.len() == 30_000 * 32 + 1, "a result of {} bytes", body.len());
    let hash = run("psql", &["-qAt", "-c", &format!("select encode(sha256(({rows})::bytea), 'hex')")])?;
    let path = client.directory().join("rows");
    std::fs::write(&path, body.trim_ascii_end())?;
    let ours = meshaccel_e2e_harness::netns::run("sha256sum", &[&path.to_string_lossy()])?;
    let theirs = String::from_utf8_lossy(&hash);
    ensure!(ours.starts_with(theirs.trim()), "the rows hash to {ours}, on the server to {theirs}");
    Ok(())
}
