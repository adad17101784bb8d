//! Where an upstream test runs: a network namespace with nothing but loopback, and a folder for what it writes.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use meshaccel_e2e_harness::netns::Netns;
use meshaccel_e2e_mesh::process::{Launch, User};
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// A namespace under a name for messages.
#[derive(Debug)]
pub struct Fixture<'a> {
    pub name: &'static str,
    netns: &'a Netns,
    folder: TempDir,
    next: AtomicU32,
}

/// What to run. The program is found by its absolute path.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    pub program: &'a Path,
    pub arguments: Vec<String>,
    /// Working directory; `None`: an empty one of its own.
    pub directory: Option<PathBuf>,
    /// The program ends itself before this, and says where it was; this is for one that does not.
    pub limit: Duration,
}

/// A program that has ended or was ended.
#[derive(Debug)]
pub struct Ran {
    /// All that it wrote to standard output and standard error.
    pub log: String,
    /// A folder that was its alone.
    pub folder: PathBuf,
}

impl<'a> Fixture<'a> {
    pub fn new(name: &'static str, netns: &'a Netns) -> Result<Self> {
        // Short: the path of a Unix socket below it must fit into 108 bytes.
        let folder = tempfile::Builder::new().prefix(&format!("ma-{}-", std::process::id())).tempdir()?;
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
        Ok(Self { name, netns, folder, next: AtomicU32::new(0) })
    }

    /// Runs a program as root; that it fails is for the caller to judge.
    pub fn run(&self, job: &Job<'_>) -> Result<Ran> {
        let folder = self.folder.path().join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        std::fs::create_dir(&folder)?;
        let text = |path: &Path| path.as_os_str().to_str().map(str::to_owned).context("a path that is not UTF-8");
        let name = job.program.file_name().and_then(OsStr::to_str).context("a program without a name")?;
        // env(1) sets what a launched process of a pod does not have: a directory of its own.
        let mut arguments = vec![
            format!("--chdir={}", text(job.directory.as_deref().unwrap_or(&folder))?),
            format!("TMPDIR={}", text(&folder)?),
            "HOME=/nonexistent".to_owned(),
            text(job.program)?,
        ];
        arguments.extend(job.arguments.iter().cloned());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let launch = Launch {
            netns: self.netns,
            user: User::ROOT,
            directory: &folder,
            stop: Signal::SIGKILL,
            capture: false,
            cgroup: None,
        };
        let mut process = launch.start(name, "/usr/bin/env", &arguments)?;
        // Too long is an outcome, not an error: the log ends in the middle of a test.
        let _ = process.wait(job.limit);
        drop(process);
        let log = std::fs::read(folder.join(format!("{name}.log")))?;
        Ok(Ran { log: String::from_utf8_lossy(&log).into_owned(), folder })
    }
}

impl Ran {
    /// The end of what it wrote.
    pub fn tail(&self, lines: usize) -> String {
        let all: Vec<&str> = self.log.lines().filter(|line| !line.trim().is_empty()).collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}
