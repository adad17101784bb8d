//! PHP-FPM over TCP, behind nginx: a blocking descriptor a request.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use meshaccel_e2e_harness::parts;
use meshaccel_e2e_mesh::process::User;

use super::http::Dialect;
use super::nginx;
use super::site::{Running, Site, script};
use super::stack::{Asks, HalfClose, Stack};

pub const PHP: Stack = Stack {
    name: "PHP-FPM behind nginx",
    server,
    asks: Asks::Http(Dialect::Program),
    agents: &[],
    crowd: true,
    half_close: HalfClose::Steady,
};

fn server(site: &Site<'_>) -> Result<Running> {
    let (port, inner, folder) = (site.http_port()?, site.free_port()?, site.folder("php", User::APP)?);
    let configuration = site.write(
        "fpm.conf",
        &format!(
            "[global]\nerror_log = {}/log\ndaemonize = no\n[stack]\nlisten = 127.0.0.1:{inner}\npm = static\n\
             pm.max_children = 4\nphp_admin_value[post_max_size] = 16M\nphp_admin_value[memory_limit] = 64M\n",
            folder.display()
        ),
    )?;
    let fpm = ["8.4", "8.3", "8.2", "8.1"].iter().find_map(|version| parts::find(&format!("php-fpm{version}")));
    let fpm = fpm.context("PHP-FPM is not installed: run scripts/setup.sh stacks")?.display().to_string();
    let mut processes = vec![site.start(User::APP, "php-fpm", &fpm, &["-F", "-n", "-y", &configuration])?];
    site.listening(Ipv4Addr::LOCALHOST.into(), inner, &mut processes)?;
    let locations = format!(
        "location / {{
    fastcgi_pass 127.0.0.1:{inner};
    fastcgi_param SCRIPT_FILENAME {}; fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REQUEST_URI $request_uri;
    fastcgi_param QUERY_STRING $query_string; fastcgi_param CONTENT_LENGTH $content_length;
    fastcgi_param CONTENT_TYPE $content_type; fastcgi_param STACK_BASE {};
  }}",
        folder.join("index.php").display(),
        site.base()
    );
    // PHP's user must be able to read it.
    std::fs::copy(script("php/index.php"), folder.join("index.php"))?;
    let front = site.folder("nginx", User::APP)?;
    processes.push(nginx::launch(site, &front, &locations, &format!("{}:{port}", site.address()))?);
    site.ready(port, processes)
}
