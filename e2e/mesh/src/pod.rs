//! A pod: a network namespace on the node's bridge, with an IPv4 and an IPv6 address, and the processes in it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use meshaccel_e2e_harness::netns::{Netns, run};
use nix::sys::signal::Signal;

use super::process::{Launch, Process, User};

/// How long a connection inside the harness may take to be accepted.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Two pods of a [`super::Mesh`] are told apart by name; addresses repeat between meshes, whose nodes never meet.
#[derive(Debug)]
pub struct Pod {
    name: &'static str,
    netns: Netns,
    v4: Ipv4Addr,
    v6: Ipv6Addr,
    /// Files of its processes: configuration, data, logs.
    directory: PathBuf,
    /// The control group of its processes, if they have one of their own.
    cgroup: Option<PathBuf>,
}

impl Pod {
    /// Makes the namespace and plugs it into `node`'s bridge as the `index`th pod.
    pub(super) fn new(
        node: &Netns,
        name: &'static str,
        index: u8,
        directory: &Path,
        cgroup: Option<&Path>,
    ) -> Result<Self> {
        let netns = Netns::new(name)?;
        let v4 = Ipv4Addr::new(10, 244, 0, index);
        let v6 = Ipv6Addr::new(0xfd00, 0x244, 0, 0, 0, 0, 0, index.into());
        let port = format!("veth-{name}");
        let inside = ["-n", netns.name()];
        let ip = |arguments: &[&str]| run("ip", &[&inside[..], arguments].concat());
        run(
            "ip",
            &["-n", node.name(), "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", netns.name()],
        )?;
        run("ip", &["-n", node.name(), "link", "set", &port, "master", "cni0", "up"])?;
        ip(&["addr", "add", &format!("{v4}/24"), "dev", "eth0"])?;
        // Without duplicate address detection the address can be used at once.
        ip(&["addr", "add", &format!("{v6}/64"), "dev", "eth0", "nodad"])?;
        ip(&["link", "set", "eth0", "up"])?;
        ip(&["route", "add", "default", "via", "10.244.0.1"])?;
        let directory = directory.join(name);
        std::fs::create_dir(&directory)?;
        Ok(Self { name, netns, v4, v6, directory, cgroup: cgroup.map(Path::to_owned) })
    }

    /// "client" or "server": also the name of its Kubernetes object and of its service account.
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    pub fn v4(&self) -> IpAddr {
        self.v4.into()
    }

    pub fn v6(&self) -> IpAddr {
        self.v6.into()
    }

    pub fn cgroup(&self) -> Option<&Path> {
        self.cgroup.as_deref()
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A directory of its own for `user`'s files.
    pub fn directory_for(&self, name: &str, user: User) -> Result<PathBuf> {
        let directory = self.directory.join(name);
        std::fs::create_dir_all(&directory)?;
        std::os::unix::fs::chown(&directory, Some(user.0), Some(user.0))?;
        Ok(directory)
    }

    /// Starts a program that runs until its guard is dropped.
    pub fn start(&self, user: User, name: &str, program: &str, arguments: &[&str]) -> Result<Process> {
        self.start_with(user, Signal::SIGKILL, name, program, arguments)
    }

    /// The same, for a program that needs a signal to clean up after itself.
    pub fn start_with(
        &self,
        user: User,
        stop: Signal,
        name: &str,
        program: &str,
        arguments: &[&str],
    ) -> Result<Process> {
        self.launch(user, stop, false).start(name, program, arguments)
    }

    /// Starts a program whose standard output [`Process::finish`] will return.
    pub fn start_captured(&self, user: User, name: &str, program: &str, arguments: &[&str]) -> Result<Process> {
        self.launch(user, Signal::SIGKILL, true).start(name, program, arguments)
    }

    fn launch(&self, user: User, stop: Signal, capture: bool) -> Launch<'_> {
        let (netns, directory, cgroup) = (&self.netns, self.directory.as_path(), self.cgroup.as_deref());
        Launch { netns, user, directory, cgroup, stop, capture }
    }

    /// Runs a program to its good end and returns its standard output.
    pub fn output(&self, user: User, program: &str, arguments: &[&str], limit: Duration) -> Result<Vec<u8>> {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let base = Path::new(program).file_name().and_then(|n| n.to_str()).unwrap_or("run");
        let name = format!("{base}-{}", NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        self.start_captured(user, &name, program, arguments)?.finish(limit)
    }

    /// A connection from inside the pod, as an application there would make it.
    pub fn connect(&self, address: IpAddr, port: u16) -> Result<TcpStream> {
        let stream = self.netns.enter(|| TcpStream::connect_timeout(&(address, port).into(), CONNECT_LIMIT))?;
        stream.with_context(|| format!("pod {} cannot connect to {address} port {port}", self.name))
    }
}
