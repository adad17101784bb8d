//! Apache httpd (event): blocking and non-blocking descriptors in turns, TCP_DEFER_ACCEPT; files and WebDAV.

use anyhow::Result;
use meshaccel_e2e_mesh::process::User;

use super::http::Dialect;
use super::site::{Running, Site, program};
use super::stack::{Asks, HalfClose, Stack};

pub const APACHE: Stack = Stack {
    name: "Apache httpd",
    server,
    asks: Asks::Http(Dialect::Files),
    agents: &[],
    crowd: true,
    half_close: HalfClose::Steady,
};

const MODULES: [&str; 4] = ["mpm_event", "authz_core", "dav", "dav_fs"];

fn server(site: &Site<'_>) -> Result<Running> {
    let (port, folder) = (site.http_port()?, site.folder("apache", User::APP)?);
    let root = site.folder("apache/root", User::APP)?;
    site.folder("apache/root/up", User::APP)?;
    std::os::unix::fs::symlink(site.base(), root.join("base"))?;
    let (d, root) = (folder.display(), root.display());
    let modules: String = MODULES
        .iter()
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .collect();
    let configuration = site.write(
        "apache.conf",
        &format!(
            "ServerRoot {d}
ServerName stack
{modules}Listen {}:{port}
PidFile {d}/pid
ErrorLog {d}/log
DocumentRoot {root}
DAVLockDB {d}/locks
KeepAlive On
KeepAliveTimeout 60
MaxKeepAliveRequests 0
StartServers 1
ServerLimit 2
ThreadsPerChild 16
MaxRequestWorkers 32
<Directory {root}>
  Options FollowSymLinks
  Require all granted
</Directory>
<Directory {root}/up>
  Dav On
</Directory>
",
            site.address()
        ),
    )?;
    let process = site.start(User::APP, "apache2", &program("apache2")?, &["-DFOREGROUND", "-f", &configuration])?;
    site.ready(port, vec![process])
}
