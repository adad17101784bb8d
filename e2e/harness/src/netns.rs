//! Network namespaces of tests and demo: made, entered, and removed again whatever happens.
//!
//! A [`Netns`] is a name under /run/netns, so `ip netns exec` and the daemon's `meshaccel.dev/netns` annotation can
//! use it. Names carry the owner's pid: two runs at once do not meet, and what a killed run left can be told apart.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, setns};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// One network namespace with `lo` up. Dropping it kills the processes inside and removes it.
#[derive(Debug)]
pub struct Netns {
    name: String,
    /// Made here, to be removed here.
    owned: bool,
}

impl Netns {
    /// Makes a namespace named after `label`, e.g. `ma-1234-0-client`.
    pub fn new(label: &str) -> Result<Self> {
        let name = format!("ma-{}-{}-{label}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        run("ip", &["netns", "add", &name])?;
        let netns = Self { name, owned: true };
        run("ip", &["-n", &netns.name, "link", "set", "lo", "up"])?;
        Ok(netns)
    }

    /// One that somebody else made and will remove.
    pub fn existing(path: &Path) -> Self {
        Self { name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(), owned: false }
    }

    /// The name that `ip netns` knows.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that names the namespace: what `meshaccel.dev/netns` holds.
    pub fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    /// Runs `body` in a thread inside the namespace: sockets made there stay there wherever they are used later.
    pub fn enter<T: Send>(&self, body: impl FnOnce() -> T + Send) -> Result<T> {
        let file = File::open(self.path()).with_context(|| format!("cannot open {}", self.path().display()))?;
        std::thread::scope(|scope| {
            scope
                .spawn(move || {
                    setns(&file, CloneFlags::CLONE_NEWNET).context("cannot enter the network namespace")?;
                    Ok(body())
                })
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// A command that will run inside the namespace.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Pids of the processes inside.
    pub fn pids(&self) -> Vec<i32> {
        let output = Command::new("ip").args(["netns", "pids", &self.name]).output();
        output
            .map(|o| String::from_utf8_lossy(&o.stdout).lines().filter_map(|l| l.trim().parse().ok()).collect())
            .unwrap_or_default()
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        if !self.owned {
            return;
        }
        for pid in self.pids() {
            // A thread of this very process may be inside (a test's own sockets): never kill ourselves.
            if pid != std::process::id() as i32 {
                let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
            }
        }
        let _ = Command::new("ip").args(["netns", "del", &self.name]).output();
    }
}

/// Runs a command to its end; a failure carries its whole standard error.
pub fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        bail!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
