//! nginx with files, ranges (sendfile) and uploads; edge-triggered epoll, and FIONREAD after a full buffer.

use std::path::Path;

use anyhow::Result;
use meshaccel_e2e_mesh::process::{Process, User};

use super::http::Dialect;
use super::site::{Running, Site, program};
use super::stack::{Asks, HalfClose, Stack};

pub const NGINX: Stack = Stack {
    name: "nginx",
    server,
    asks: Asks::Http(Dialect::Files),
    agents: &[],
    crowd: true,
    half_close: HalfClose::Steady,
};

fn server(site: &Site<'_>) -> Result<Running> {
    let port = site.http_port()?;
    let process = start(site, &format!("{}:{port}", site.address()))?;
    site.ready(port, vec![process])
}

/// Starts nginx with the base and a place for uploads; ready or not.
pub fn start(site: &Site<'_>, listen: &str) -> Result<Process> {
    let folder = site.folder("nginx", User::APP)?;
    site.folder("nginx/up", User::APP)?;
    std::os::unix::fs::symlink(site.base(), folder.join("base"))?;
    launch(
        site,
        &folder,
        &format!("location / {{ root {0}; }} location /up/ {{ root {0}; dav_methods PUT; }}", folder.display()),
        listen,
    )
}

/// Starts nginx with these locations.
pub fn launch(site: &Site<'_>, folder: &Path, locations: &str, listen: &str) -> Result<Process> {
    let d = folder.display();
    let path = folder.join("nginx.conf");
    std::fs::write(
        &path,
        format!(
            "daemon off; worker_processes 1; pid {d}/pid; error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000; client_max_body_size 0;
  client_body_temp_path {d}/t1; proxy_temp_path {d}/t2; fastcgi_temp_path {d}/t3; uwsgi_temp_path {d}/t4;
  scgi_temp_path {d}/t5; default_type application/octet-stream;
  server {{ listen {listen}; {locations} }}
}}
"
        ),
    )?;
    site.start(User::APP, "nginx", &program("nginx")?, &["-e", "stderr", "-c", &path.display().to_string()])
}
