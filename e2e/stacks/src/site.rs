//! Where a server runs and from where it is asked: one namespace, or two pods of a mesh.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use meshaccel_e2e_harness::netns::Netns;
use meshaccel_e2e_harness::{interrupt, parts};
use meshaccel_e2e_mesh::process::{Launch, Process, User};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::operation::write_base;
use super::session::Target;

/// The JVM and Erlang take seconds when the machine is busy.
const READY_LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Site<'a> {
    server: &'a Netns,
    client: &'a Netns,
    /// Where servers listen and clients connect.
    address: IpAddr,
    /// The port that sidecars take for HTTP; any when there is none.
    http: Option<u16>,
    folder: TempDir,
}

/// A server, ready. Dropping it ends its processes.
#[derive(Debug)]
pub struct Running {
    pub port: u16,
    pub processes: Vec<Process>,
}

impl Running {
    pub fn check(&mut self) -> Result<()> {
        self.processes.iter_mut().try_for_each(Process::check_running)
    }
}

impl<'a> Site<'a> {
    /// Server and clients in one namespace, over loopback.
    pub fn alone(netns: &'a Netns) -> Result<Self> {
        Self::new(netns, netns, Ipv4Addr::LOCALHOST.into(), None)
    }

    /// Server and clients in two.
    pub fn between(client: &'a Netns, server: &'a Netns, address: IpAddr, http: u16) -> Result<Self> {
        Self::new(server, client, address, Some(http))
    }

    fn new(server: &'a Netns, client: &'a Netns, address: IpAddr, http: Option<u16>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix(&format!("ma-{}-", std::process::id())).tempdir()?;
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        write_base(&folder.path().join("base"))?;
        Ok(Self { server, client, address, http, folder })
    }

    pub fn address(&self) -> IpAddr {
        self.address
    }

    pub fn netns(&self) -> &'a Netns {
        self.server
    }

    pub fn target(&self, port: u16) -> Target<'a> {
        Target { netns: self.client, address: SocketAddr::new(self.address, port) }
    }

    pub fn base(&self) -> String {
        self.folder.path().join("base").display().to_string()
    }

    pub fn behind_sidecars(&self) -> bool {
        self.http.is_some()
    }

    /// A port for a server of HTTP.
    pub fn http_port(&self) -> Result<u16> {
        self.http.map_or_else(|| self.free_port(), Ok)
    }

    /// A port that nobody has.
    pub fn free_port(&self) -> Result<u16> {
        let listener = self.server.enter(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))??;
        Ok(listener.local_addr()?.port())
    }

    /// A folder of its own for `user`'s files.
    pub fn folder(&self, name: &str, user: User) -> Result<PathBuf> {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder)?;
        std::os::unix::fs::chown(&folder, Some(user.0), Some(user.0))?;
        Ok(folder)
    }

    /// Starts a server's program.
    pub fn start(&self, user: User, name: &str, program: &str, arguments: &[&str]) -> Result<Process> {
        self.start_with(user, Signal::SIGKILL, name, program, arguments)
    }

    /// The same for one that needs a signal to clean up after itself.
    pub fn start_with(
        &self,
        user: User,
        stop: Signal,
        name: &str,
        program: &str,
        arguments: &[&str],
    ) -> Result<Process> {
        self.launch(self.server, user, stop, false).start(name, program, arguments)
    }

    /// Runs a program beside the server to its good end.
    pub fn run(&self, user: User, name: &str, program: &str, arguments: &[&str]) -> Result<()> {
        let process = self.launch(self.server, user, Signal::SIGKILL, true).start(name, program, arguments)?;
        process.finish(READY_LIMIT).map(drop)
    }

    /// Starts a client's program, whose standard output goes to `<name>.out` of the site's folder.
    pub fn start_client(&self, name: &str, program: &str, arguments: &[&str]) -> Result<(Process, PathBuf)> {
        let launch = self.launch(self.client, User::ROOT, Signal::SIGKILL, true);
        let process = launch.start(name, program, arguments)?;
        Ok((process, self.folder.path().join(format!("{name}.out"))))
    }

    pub fn write(&self, name: &str, text: &str) -> Result<String> {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    }

    fn launch(&self, netns: &'a Netns, user: User, stop: Signal, capture: bool) -> Launch<'_> {
        Launch { netns, user, directory: self.folder.path(), stop, capture, cgroup: None }
    }

    /// Waits until all processes are there and the last one's port accepts connections, seen from beside the server.
    pub fn ready(&self, port: u16, mut processes: Vec<Process>) -> Result<Running> {
        self.listening(self.address, port, &mut processes)?;
        Ok(Running { port, processes })
    }

    /// Waits until a port accepts connections.
    pub fn listening(&self, address: IpAddr, port: u16, processes: &mut [Process]) -> Result<()> {
        interrupt::until(&format!("a server on port {port}"), READY_LIMIT, || {
            processes.iter_mut().try_for_each(Process::check_running)?;
            Ok(self.server.enter(|| TcpStream::connect((address, port)))?.ok().map(drop))
        })
    }
}

/// A program of a Debian package.
pub fn program(name: &str) -> Result<String> {
    let path = parts::find(name).with_context(|| format!("{name} is not installed: run scripts/setup.sh stacks"))?;
    Ok(path.to_string_lossy().into_owned())
}

/// A file that scripts/setup.sh put into the cache.
pub fn cached(part: &str) -> Result<String> {
    parts::cached(part).with_context(|| "run scripts/setup.sh stacks")
}

/// A script of e2e/stacks.
pub fn script(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name).display().to_string()
}
