//! nginx (in front of itself) and redis in one namespace, straight at one another: no sidecar between, so that what is
//! accelerated is the server's own connection. Every byte is compared.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use meshaccel_e2e_harness::content::pattern;
use meshaccel_e2e_harness::netns::Netns;
use meshaccel_e2e_harness::traffic::socket::poll;
use meshaccel_e2e_harness::{parts, wait};
use meshaccel_e2e_mesh::files::compare;
use meshaccel_e2e_mesh::process::{Launch, Process, User};
use meshaccel_e2e_mesh::talk::Redis;
use nix::libc::{POLLIN, POLLOUT};
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// Sizes of the files: around nothing, a header's buffer, a page, a segment of loopback, the budgets, and large.
const FILES: [usize; 9] = [1, 1000, 4096, 16_385, 65_536, 262_145, 1 << 20, 5_000_001, 50_000_000];
/// A transfer that takes longer is a hang.
const LIMIT: Duration = Duration::from_secs(40);

/// Both servers, and the folder of their files. Dropping ends them.
#[derive(Debug)]
pub struct Servers<'a> {
    _nginx: Process,
    _redis: Process,
    netns: &'a Netns,
    folder: TempDir,
    ports: Ports,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    origin: u16,
    front: u16,
    redis: u16,
}

impl<'a> Servers<'a> {
    pub fn start(netns: &'a Netns) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix(&format!("ma-{}-", std::process::id())).tempdir()?;
        let app = |path: &Path| std::os::unix::fs::chown(path, Some(User::APP.0), Some(User::APP.0));
        std::fs::create_dir(folder.path().join("up"))?;
        for path in [folder.path(), &folder.path().join("up")] {
            app(path)?;
        }
        for size in FILES {
            let path = folder.path().join(size.to_string());
            std::fs::write(&path, pattern(size))?;
            app(&path)?;
        }
        let free = || -> Result<u16> {
            let listener = netns.enter(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))??;
            Ok(listener.local_addr()?.port())
        };
        let ports = Ports { origin: free()?, front: free()?, redis: free()? };
        std::fs::write(folder.path().join("nginx.conf"), configuration(folder.path(), ports))?;
        let configuration = folder.path().join("nginx.conf").display().to_string();
        let nginx = start(netns, &folder, "nginx", &["-e", "stderr", "-c", &configuration])?;
        let (port, directory) = (ports.redis.to_string(), folder.path().display().to_string());
        let redis = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", &directory];
        let redis = start(netns, &folder, "redis-server", &redis)?;
        let servers = Self { _nginx: nginx, _redis: redis, netns, folder, ports };
        for port in [ports.origin, ports.front, ports.redis] {
            wait::until("the servers to listen", LIMIT, || Ok(servers.connect(port).ok()))?;
        }
        Ok(servers)
    }

    /// Everything once: straight to nginx, and through nginx to nginx.
    pub fn exercise(&self) -> Result<()> {
        for (what, port) in [("nginx", self.ports.origin), ("nginx behind nginx", self.ports.front)] {
            self.downloads(port).with_context(|| format!("downloads from {what}"))?;
            self.uploads(port).with_context(|| format!("uploads to {what}"))?;
        }
        self.redis().context("redis")
    }

    /// Each file; many answers on one connection; answers whose length is not known before (chunked).
    fn downloads(&self, port: u16) -> Result<()> {
        let base = format!("http://127.0.0.1:{port}");
        for size in FILES {
            let body = self.curl(&[&format!("{base}/{size}")])?;
            compare(&format!("{size} bytes"), &body, &pattern(size))?;
            let body = self.curl(&["--compressed", &format!("{base}/packed/{size}")])?;
            compare(&format!("{size} bytes, chunked"), &body, &pattern(size))?;
        }
        for (size, count) in [(1, 400), (4096, 400), (65_536, 100), (262_145, 40)] {
            let body = self.curl(&[&format!("{base}/{size}?[1-{count}]")])?;
            compare(&format!("{count} times {size} bytes, kept alive"), &body, &pattern(size).repeat(count))?;
        }
        Ok(())
    }

    /// With a length and chunked: what nginx keeps in memory and what it spools.
    fn uploads(&self, port: u16) -> Result<()> {
        for size in FILES {
            let source = self.folder.path().join(size.to_string()).display().to_string();
            for how in ["Expect:", "Transfer-Encoding: chunked"] {
                let url = format!("http://127.0.0.1:{port}/up/file");
                self.curl(&["-H", "Expect:", "-H", how, "--upload-file", &source, &url])?;
                let written = self.folder.path().join("up/file");
                compare(&format!("upload of {size} bytes, {how}"), &std::fs::read(&written)?, &pattern(size))?;
                std::fs::remove_file(written)?;
            }
        }
        Ok(())
    }

    /// A client that compares every byte, beside redis-benchmark, which makes crowds and pipelines and compares none.
    fn redis(&self) -> Result<()> {
        let port = self.ports.redis.to_string();
        let crowd = ["-h", "127.0.0.1", "-p", &port, "-n", "5000", "-c", "16", "-P", "4", "-d", "3000", "-q", "-t"];
        let crowd = [&crowd[..], &["set,get,incr,lpush,lpop,mset"]].concat();
        std::thread::scope(|scope| {
            let crowd = scope.spawn(|| self.output("redis-benchmark", &crowd));
            let mut client = Redis::over(Polled(self.connect(self.ports.redis)?), "upstream");
            for size in FILES.into_iter().chain(0..40).chain(65_500..65_540) {
                client.exercise(size, 40).with_context(|| format!("a value of {size} bytes"))?;
            }
            crowd.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).map(drop)
        })
    }

    fn connect(&self, port: u16) -> Result<TcpStream> {
        let stream = self.netns.enter(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)))??;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn curl(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        self.output("curl", &[&["-sS", "--fail", "--http1.1"], arguments].concat())
    }

    fn output(&self, program: &str, arguments: &[&str]) -> Result<Vec<u8>> {
        let path = parts::find(program).with_context(|| format!("{program} is not installed"))?;
        let launch = launch(self.netns, &self.folder, true);
        launch.start(program, &path.to_string_lossy(), arguments)?.finish(LIMIT)
    }
}

fn launch<'a>(netns: &'a Netns, folder: &'a TempDir, capture: bool) -> Launch<'a> {
    Launch { netns, user: User::APP, directory: folder.path(), stop: Signal::SIGKILL, capture, cgroup: None }
}

fn start(netns: &Netns, folder: &TempDir, program: &str, arguments: &[&str]) -> Result<Process> {
    let path = parts::find(program);
    let path = path.with_context(|| format!("{program} is not installed: run scripts/setup.sh upstream"))?;
    launch(netns, folder, false).start(program, &path.to_string_lossy(), arguments)
}

/// Two servers of one worker: files with sendfile, uploads that are spooled beyond 16 KiB; the front keeps connections to
/// the origin and buffers little, so that it must stop reading when its client is slow.
fn configuration(folder: &Path, ports: Ports) -> String {
    let Ports { origin, front, .. } = ports;
    let d = folder.display();
    format!(
        "daemon off; worker_processes 1; pid {d}/pid; error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000; client_max_body_size 0; client_body_buffer_size 16k;
  client_body_temp_path {d}/t1; proxy_temp_path {d}/t2; fastcgi_temp_path {d}/t3; uwsgi_temp_path {d}/t4;
  scgi_temp_path {d}/t5; default_type application/octet-stream;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{origin}; root {d};
    location /packed/ {{ alias {d}/; gzip on; gzip_types *; gzip_min_length 0; gzip_comp_level 1; }}
    location /up/ {{ dav_methods PUT; }}
  }}
  server {{
    listen 127.0.0.1:{front};
    location / {{
      proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_buffers 4 8k;
      proxy_request_buffering off;
    }}
  }}
}}
"
    )
}

/// A non-blocking socket that waits with poll(2), as event loops do, behind plain reads and writes.
#[derive(Debug)]
struct Polled(TcpStream);

impl Polled {
    fn until<T>(&self, events: i16, mut call: impl FnMut(&TcpStream) -> io::Result<T>) -> io::Result<T> {
        loop {
            match call(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if poll(&self.0, events, LIMIT.as_millis() as i32)? == 0 {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                other => return other,
            }
        }
    }
}

impl Read for Polled {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.until(POLLIN, |mut stream| stream.read(buffer))
    }
}

impl Write for Polled {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.until(POLLOUT, |mut stream| stream.write(buffer))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
