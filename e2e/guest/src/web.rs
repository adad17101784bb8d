//! nginx in the pod, and a client whose connections are kept: headers from a few bytes to 30 KiB both ways, files and uploads
//! up to megabytes, and every byte compared.
//!
//! nginx asks FIONREAD whether there is more to read of a header that did not fit into its first buffer (1 KiB): where the
//! answer is wrong, it waits for ever.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use meshaccel_e2e_harness::daemon::spawn;
use meshaccel_e2e_harness::netns::Netns;
use meshaccel_e2e_harness::traffic::{Direction, Pattern, socket};
use meshaccel_e2e_harness::wait;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);
/// Bytes of one header line: below and above nginx's first buffer, several of its large ones, and the largest that Envoy
/// lets through by default, nearly.
pub const HEADERS: [usize; 9] = [10, 900, 1000, 1100, 2000, 4100, 8200, 16_400, 30_000];
/// Bytes of bodies, both ways.
pub const BODIES: [usize; 7] = [1, 1000, 16_385, 65_536, 262_145, 1 << 20, 4_000_001];
const CONNECTIONS: usize = 6;

/// The server. Dropping it ends it.
#[derive(Debug)]
pub struct Web {
    nginx: Child,
    folder: TempDir,
    address: SocketAddr,
}

/// A client with several connections, which take turns.
#[derive(Debug)]
pub struct Client {
    streams: Vec<TcpStream>,
    requests: usize,
}

impl Web {
    pub fn start(netns: &Netns) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("web-").tempdir()?;
        std::fs::create_dir(folder.path().join("up"))?;
        for size in BODIES {
            std::fs::write(folder.path().join(size.to_string()), body(size))?;
        }
        let address = netns.enter(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))??.local_addr()?;
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, configuration(folder.path(), address))?;
        let mut command = netns.command("/usr/sbin/nginx");
        command.args(["-e", "stderr", "-c"]).arg(&file);
        let nginx = spawn(command)?;
        let web = Self { nginx, folder, address };
        wait::until("nginx to listen", LIMIT, || Ok(netns.enter(|| TcpStream::connect(address))?.ok()))?;
        Ok(web)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `local`: the address to connect from, if any matters.
    pub fn client(&self, netns: &Netns, local: Option<SocketAddr>) -> Result<Client> {
        let connect = || socket::connect(local, self.address, socket::Options::default());
        let streams = netns.enter(|| (0..CONNECTIONS).map(|_| connect()).collect::<std::io::Result<Vec<_>>>())??;
        streams.iter().try_for_each(|stream| stream.set_nodelay(true))?;
        Ok(Client { streams, requests: 0 })
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        // `ip netns exec` becomes nginx's master, which takes its workers along.
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(self.nginx.id() as i32),
            nix::sys::signal::Signal::SIGTERM,
        );
        let _ = self.nginx.wait();
    }
}

impl Client {
    /// How many requests were answered rightly.
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// Small requests on every connection, which by themselves earn a promotion.
    pub fn warm(&mut self, rounds: usize) -> Result<()> {
        for _ in 0..rounds * CONNECTIONS {
            self.header(10)?;
        }
        Ok(())
    }

    /// Every size once on every connection, headers and bodies mixed.
    pub fn exercise(&mut self, web: &Web) -> Result<()> {
        for connection in 0..CONNECTIONS {
            for (index, size) in HEADERS.into_iter().enumerate() {
                self.header(size)?;
                // Which size meets which connection changes from round to round.
                let size = BODIES[(index + connection) % BODIES.len()];
                self.file(size)?;
                self.upload(web, size)?;
            }
        }
        Ok(())
    }

    /// A header line of this size there, and the same back in the header and in the body.
    fn header(&mut self, size: usize) -> Result<()> {
        let filler = letters(size, self.requests);
        let (head, body) =
            self.ask(&format!("GET /header HTTP/1.1\r\nHost: web\r\nX-Filler: {filler}\r\n\r\n"), &[])?;
        ensure!(body == filler.as_bytes(), "{}", self.wrong("body", size, body.len()));
        let back = head.lines().find_map(|line| line.strip_prefix("X-Back: ")).unwrap_or_default();
        ensure!(back == filler, "{}", self.wrong("header", size, back.len()));
        Ok(())
    }

    fn file(&mut self, size: usize) -> Result<()> {
        let (_, got) = self.ask(&format!("GET /{size} HTTP/1.1\r\nHost: web\r\n\r\n"), &[])?;
        ensure!(got == body(size), "{}", self.wrong("file", size, got.len()));
        Ok(())
    }

    fn upload(&mut self, web: &Web, size: usize) -> Result<()> {
        let head = format!("PUT /up/file HTTP/1.1\r\nHost: web\r\nContent-Length: {size}\r\n\r\n");
        self.ask(&head, &body(size))?;
        let path = web.folder.path().join("up/file");
        let got = std::fs::read(&path).context("nginx wrote no upload")?;
        std::fs::remove_file(path)?;
        ensure!(got == body(size), "{}", self.wrong("upload", size, got.len()));
        Ok(())
    }

    fn wrong(&self, what: &str, size: usize, got: usize) -> String {
        format!("request {}: the {what} of {size} bytes came with {got} bytes, or with others", self.requests)
    }

    /// One request on the next connection; header and body of its answer.
    fn ask(&mut self, head: &str, body: &[u8]) -> Result<(String, Vec<u8>)> {
        let stream = &self.streams[self.requests % self.streams.len()];
        let line = head.lines().next().unwrap_or_default();
        let about = || {
            let (local, bytes) = (stream.local_addr().map(|address| address.port()).unwrap_or(0), head.len());
            format!("request {} ({line}, {bytes} bytes of header, from port {local})", self.requests)
        };
        let answer = send(stream, head.as_bytes()).and_then(|()| send(stream, body)).and_then(|()| answer(stream));
        let answer = answer.with_context(about)?;
        self.requests += 1;
        Ok(answer)
    }
}

fn send(stream: &TcpStream, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let sent = socket::patiently(stream, libc::POLLOUT, || socket::send(stream, bytes, 0));
        bytes = &bytes[sent.context("the server takes no more bytes")?..];
    }
    Ok(())
}

/// An answer, read to its last byte.
fn answer(stream: &TcpStream) -> Result<(String, Vec<u8>)> {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0u8; 64 << 10]);
    let mut more = |bytes: &mut Vec<u8>| -> Result<()> {
        let n = socket::patiently(stream, libc::POLLIN, || socket::receive(stream, &mut buffer, 0));
        let n = n.with_context(|| format!("no answer, or no more of it after {} bytes", bytes.len()))?;
        ensure!(n > 0, "the server closed after {} bytes of the answer", bytes.len());
        bytes.extend_from_slice(&buffer[..n]);
        Ok(())
    };
    let end = loop {
        match bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            Some(at) => break at + 4,
            None => more(&mut bytes)?,
        }
    };
    let mut rest = bytes.split_off(end);
    let head = String::from_utf8(bytes).context("a header that is no text")?;
    let code = head.split(' ').nth(1).unwrap_or_default();
    ensure!(matches!(code, "200" | "201" | "204"), "the answer is {}", head.lines().next().unwrap_or_default());
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).map(str::parse).transpose()?;
    let length: usize = length.unwrap_or(0);
    while rest.len() < length {
        more(&mut rest)?;
    }
    if rest.len() > length {
        bail!("{} bytes more than the answer has", rest.len() - length);
    }
    Ok((head, rest))
}

fn body(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    Pattern::new(size as u32 & 0xff_ffff, Direction::ToClient).fill(0, &mut bytes);
    bytes
}

/// Text of this length, of which no two stretches are equal and no two requests have the same.
fn letters(size: usize, request: usize) -> String {
    let mut text = String::with_capacity(size + 16);
    for index in 0.. {
        if text.len() >= size {
            break;
        }
        let _ = write!(text, "{request:x}-{index:x}.");
    }
    text.truncate(size);
    text
}

fn configuration(folder: &Path, address: SocketAddr) -> String {
    let d = folder.display();
    format!(
        "daemon off; worker_processes 2; user root; pid {d}/pid; error_log stderr warn;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000; client_max_body_size 0; client_body_buffer_size 16k;
  keepalive_timeout 3600s; client_header_timeout 3600s; client_body_timeout 3600s; send_timeout 3600s;
  large_client_header_buffers 4 64k;
  client_body_temp_path {d}/t1; proxy_temp_path {d}/t2; fastcgi_temp_path {d}/t3; uwsgi_temp_path {d}/t4;
  scgi_temp_path {d}/t5; default_type application/octet-stream;
  server {{
    listen {address}; root {d};
    location /header {{ add_header X-Back $http_x_filler; return 200 $http_x_filler; }}
    location /up/ {{ dav_methods PUT; }}
  }}
}}
"
    )
}
