//! Real servers in the server pod, each as the application's user, each listening when its function returns.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use meshaccel_e2e_harness::{interrupt, parts};
use nix::sys::signal::Signal;

use super::pod::Pod;
use super::process::{Process, User};
use super::{files, ports};

const READY_LIMIT: Duration = Duration::from_secs(20);

/// nginx with the files of [`files`], on [`ports::HTTP1`] and [`ports::HTTP2`].
pub fn nginx(pod: &Pod) -> Result<Process> {
    let directory = pod.directory_for("nginx", User::APP)?;
    files::write(&directory)?;
    let listen = |port: u16, how: &str| format!("listen {port} {how}; listen [::]:{port} {how};");
    // Two listening addresses with equal rules; HTTP/2 without TLS needs a port of its own in this nginx.
    let server = |listen: String| {
        format!(
            "server {{
    {listen}
    root {root};
    default_type application/octet-stream;
    location = /small {{ return 200 'hello from the server pod\\n'; }}
    location = /identity {{ return 200 $http_x_forwarded_client_cert; }}
    location /slow/ {{ alias {root}/; limit_rate 4m; }}
    location /upload/ {{ dav_methods PUT; }}
  }}",
            root = directory.display()
        )
    };
    let configuration = format!(
        "daemon off;
worker_processes 1;
pid {d}/pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  client_body_temp_path {d}/body; proxy_temp_path {d}/proxy; fastcgi_temp_path {d}/fastcgi;
  uwsgi_temp_path {d}/uwsgi; scgi_temp_path {d}/scgi;
  {http1}
  {http2}
}}
",
        d = directory.display(),
        http1 = server(listen(ports::HTTP1, "")),
        http2 = server(listen(ports::HTTP2, "http2")),
    );
    let path = directory.join("nginx.conf");
    std::fs::write(&path, configuration)?;
    let (program, path) = (program("nginx")?, path.to_string_lossy());
    let process = pod.start(User::APP, "nginx", &program, &["-e", "stderr", "-c", &path])?;
    listening(pod, process, ports::HTTP1)
}

/// Redis without persistence.
pub fn redis(pod: &Pod) -> Result<Process> {
    let directory = pod.directory_for("redis", User::APP)?;
    let (port, directory) = (ports::REDIS.to_string(), directory.to_string_lossy());
    let process = pod.start(
        User::APP,
        "redis",
        &program("redis-server")?,
        &[
            "--port",
            &port,
            "--bind",
            "0.0.0.0",
            "::",
            "--save",
            "",
            "--appendonly",
            "no",
            "--protected-mode",
            "no",
            "--dir",
            &directory,
        ],
    )?;
    listening(pod, process, ports::REDIS)
}

/// PostgreSQL with an empty cluster of its own; whoever connects is believed to be `app`.
pub fn postgres(pod: &Pod) -> Result<Process> {
    let directory = pod.directory_for("postgres", User::APP)?;
    let (data, sockets) = (directory.join("data"), directory.to_string_lossy());
    let data_path = data.to_string_lossy();
    let initialise =
        ["-D", &data_path, "-U", "app", "--auth", "trust", "--no-sync", "--encoding", "UTF8", "--locale", "C"];
    pod.output(User::APP, &postgres_program("initdb")?, &initialise, Duration::from_secs(60))?;
    std::fs::write(data.join("pg_hba.conf"), "host all all all trust\n")?;
    let settings = ["-c", "listen_addresses=*", "-c", "fsync=off", "-c", "shared_buffers=16MB", "-k", &sockets];
    // SIGQUIT ends it at once and still frees its shared memory, which SIGKILL would leave behind.
    let arguments = [&["-D", &data_path][..], &settings].concat();
    let process = pod.start_with(User::APP, Signal::SIGQUIT, "postgres", &postgres_program("postgres")?, &arguments)?;
    listening(pod, process, ports::POSTGRES)
}

/// iperf3, for as many measurements as wanted.
pub fn iperf(pod: &Pod) -> Result<Process> {
    let port = ports::IPERF.to_string();
    let process = pod.start(User::APP, "iperf3", &program("iperf3")?, &["--server", "--port", &port])?;
    listening(pod, process, ports::IPERF)
}

/// Path of a program of PostgreSQL, which Debian keeps off PATH, one directory a version.
pub fn postgres_program(name: &str) -> Result<String> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").context("PostgreSQL is not installed")?;
    let mut programs: Vec<PathBuf> = versions.flatten().map(|v| v.path().join("bin").join(name)).collect();
    programs.retain(|p| p.is_file());
    programs.sort();
    let newest = programs.pop().with_context(|| format!("no PostgreSQL with {name} is installed"))?;
    Ok(newest.to_string_lossy().into_owned())
}

fn program(name: &str) -> Result<String> {
    let Some(path) = parts::find(name) else { bail!("{name} is not installed: run scripts/setup.sh mesh") };
    Ok(path.to_string_lossy().into_owned())
}

/// Waits until `process` accepts connections on `port`, seen from inside the pod, past the sidecar.
fn listening(pod: &Pod, mut process: Process, port: u16) -> Result<Process> {
    interrupt::until(&format!("a server on port {port}"), READY_LIMIT, || {
        process.check_running()?;
        Ok(pod.connect(pod.v4(), port).ok())
    })?;
    Ok(process)
}
