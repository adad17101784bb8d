//! Finding and running the binary under test.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

use anyhow::{Context, Result, bail};

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    /// `None`: killed by a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// What a command that failed said; empty when it said nothing.
    pub fn sentence(&self) -> &str {
        self.stderr.lines().rfind(|line| line.starts_with("error: ")).unwrap_or_default()
    }
}

/// The daemon: `$MESHACCEL_NODE`, or target/debug/meshaccel-node beside the running test, or the release build's.
pub fn binary() -> Result<PathBuf> {
    built("meshaccel-node", "MESHACCEL_NODE")
}

/// A program of this repository, found in the same way.
pub fn built(name: &str, variable: &str) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Ok(path.into());
    }
    let test = std::env::current_exe()?;
    let profiles = test.ancestors().filter(|folder| folder.ends_with("debug") || folder.ends_with("release"));
    for profile in profiles {
        for sibling in [profile.to_owned(), profile.with_file_name("release"), profile.with_file_name("debug")] {
            let candidate = sibling.join(name);
            if candidate.is_file() {
                return Ok(candidate);
            }
        }
    }
    bail!("{name} is not built: run `cargo build -p {name}`, or set {variable} to its path")
}

/// Runs a command to its end.
pub fn finish(mut command: Command) -> Result<Finished> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    Ok(Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

type Order = (Command, Sender<std::io::Result<Child>>);

/// Starts a process that ends with this one, also when this one is killed. The parent-death signal belongs to the
/// thread that spawns, hence one thread that lives as long as the process.
pub fn spawn(mut command: Command) -> Result<Child> {
    static SPAWNER: OnceLock<Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, orders) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in orders {
                let _ = answer.send(command.spawn());
            }
        });
        sender
    });
    // SAFETY: prctl is async-signal-safe and touches no memory of this process.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    let (sender, answer) = channel();
    spawner.clone().send((command, sender)).context("the spawning thread has ended")?;
    answer.recv().context("the spawning thread has ended")?.context("cannot start a program of this repository")
}
