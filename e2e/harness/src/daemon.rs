//! The real `meshaccel-node` under test: started with pins and an admin port of its own, asked, killed, removed.
//!
//! Whatever the test does to it, dropping a [`Daemon`] ends the process, uninstalls what it pinned, and notes what
//! stayed behind (see [`crate::failure::check`], which turns such a note into a failure).

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::bpf::{self, Objects};
use crate::connections::Connections;
use crate::manifest::Manifests;
use crate::traffic::{Pair, request};
use crate::{failure, wait};

pub mod admin;
mod binary;
pub mod environment;

pub use admin::Answer;
pub use binary::{Finished, binary, built, finish, spawn};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A daemon may have to probe the kernel and load its programs while the machine builds something.
const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// Promotion on evidence must come well within this.
pub const PROMOTION_LIMIT: Duration = Duration::from_secs(20);

/// One installation: a process that may be running, and its pins.
#[derive(Debug)]
pub struct Daemon {
    child: Option<Child>,
    bpffs: PathBuf,
    admin: SocketAddr,
    arguments: Vec<String>,
    log: TempDir,
    pub manifests: Manifests,
}

impl Daemon {
    /// Starts the daemon on a folder of manifests and waits until it is ready.
    pub fn start(label: &str, manifests: Manifests) -> Result<Self> {
        Self::start_with(label, manifests, &[])
    }

    /// The same with further arguments.
    pub fn start_with(label: &str, manifests: Manifests, arguments: &[&str]) -> Result<Self> {
        let mut daemon = Self::unstarted(label, manifests, arguments)?;
        daemon.restart()?;
        Ok(daemon)
    }

    /// An installation whose process has yet to be started with [`Self::restart`].
    pub fn unstarted(label: &str, manifests: Manifests, arguments: &[&str]) -> Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // The pid keeps runs apart and lets a person see whose pins those are.
        let bpffs = PathBuf::from(format!("/sys/fs/bpf/meshaccel-test-{}-{number}", std::process::id()));
        let admin = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = tempfile::Builder::new().prefix(&format!("meshaccel-{label}-")).tempdir()?;
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Ok(Self { child: None, bpffs, admin, arguments, log, manifests })
    }

    /// Starts the process (again) on the same pins and waits until it is ready.
    pub fn restart(&mut self) -> Result<()> {
        self.spawn()?;
        self.wait_ready()
    }

    /// Starts the process without waiting for anything.
    pub fn spawn(&mut self) -> Result<()> {
        self.spawn_in(Command::new(binary()?))
    }

    /// The same, with the start of its command line given: see [`environment`].
    pub fn spawn_in(&mut self, mut command: Command) -> Result<()> {
        ensure!(self.child.is_none(), "the daemon is already running");
        let log = File::options().create(true).append(true).open(self.log_file())?;
        command.arg("standalone").arg("--manifests").arg(self.manifests.path()).arg("--bpffs").arg(&self.bpffs);
        command.arg("--admin-address").arg(self.admin.to_string());
        command.arg("--admin-socket").arg(self.socket()).args(&self.arguments);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(spawn(command)?);
        Ok(())
    }

    fn wait_ready(&mut self) -> Result<()> {
        let admin = self.admin;
        let child = self.child.as_mut().context("the daemon is not running")?;
        wait::until("the daemon to be ready", START_LIMIT, || {
            if let Some(status) = child.try_wait()? {
                bail!("the daemon ended before it was ready: {status}");
            }
            Ok(admin::get(admin, "/readyz").ok().filter(|answer| answer.code == 200))
        })?;
        Ok(())
    }

    /// Waits for the process to end by itself; its exit code.
    pub fn wait_exit(&mut self) -> Result<Option<i32>> {
        let mut child = self.child.take().context("the daemon is not running")?;
        let ended = wait::until("the daemon to end", STOP_LIMIT, || Ok(child.try_wait()?));
        if ended.is_err() {
            let _ = child.kill();
            let _ = child.wait();
        }
        Ok(ended?.code())
    }

    /// Kills it as the kernel's OOM killer would: nothing of it runs afterwards.
    pub fn kill9(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the daemon is not running")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// The running process.
    pub fn pid(&self) -> Result<u32> {
        Ok(self.child.as_ref().context("the daemon is not running")?.id())
    }

    /// SIGTERM, and a good end.
    pub fn stop(&mut self) -> Result<()> {
        let child = self.child.as_ref().context("the daemon is not running")?;
        let pid = nix::unistd::Pid::from_raw(child.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
        let code = self.wait_exit()?;
        ensure!(code == Some(0), "SIGTERM ended the daemon with {code:?}");
        Ok(())
    }

    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Runs another verb of the binary on this installation, to its end, whatever that is.
    pub fn run(&self, arguments: &[&str]) -> Result<Finished> {
        self.finish(Command::new(binary()?), arguments)
    }

    /// The same without these capabilities ("-perfmon,-sys_admin").
    pub fn run_without(&self, capabilities: &str, arguments: &[&str]) -> Result<Finished> {
        self.finish(environment::without(capabilities)?, arguments)
    }

    fn finish(&self, mut command: Command, arguments: &[&str]) -> Result<Finished> {
        command.args(arguments).arg("--bpffs").arg(&self.bpffs);
        finish(command)
    }

    /// The same for a verb that must succeed; its standard output.
    pub fn run_ok(&self, arguments: &[&str]) -> Result<String> {
        let finished = self.run(arguments)?;
        ensure!(finished.code == Some(0), "meshaccel-node {}: {finished:?}", arguments.join(" "));
        Ok(finished.stdout)
    }

    /// Every recorded socket, read from the pins: works without a running daemon.
    pub fn connections(&self) -> Result<Connections> {
        Connections::parse(&self.run_ok(&["connections", "-o", "json"])?)
    }

    /// Messages that both ends of a pair have sent past the stack; 0 for one that is not recorded.
    pub fn redirected(&self, pair: &Pair) -> Result<u64> {
        let connections = self.connections()?;
        let mut sum = 0;
        for end in [&pair.client, &pair.server] {
            sum += connections.of(end)?.map_or(0, |row| row.redirected.messages);
        }
        Ok(sum)
    }

    /// Asks and answers on a pair until both of its ends have been redirected.
    pub fn warm(&self, pair: &mut Pair) -> Result<()> {
        self.warm_all(std::slice::from_mut(pair))
    }

    /// The same for many, in turns.
    pub fn warm_all(&self, pairs: &mut [Pair]) -> Result<()> {
        wait::wait_for(PROMOTION_LIMIT, "every connection to be redirected both ways", || {
            for pair in &mut *pairs {
                request::by_hand(pair, 12, 64)?;
            }
            let connections = self.connections()?;
            for pair in &*pairs {
                for row in [connections.both(pair)?.0, connections.both(pair)?.1] {
                    ensure!(row.redirected.messages > 0, "nothing is redirected yet: {row:?}");
                }
            }
            Ok(())
        })
    }

    /// Asks and answers on a pair until messages are redirected (again).
    pub fn wait_redirecting(&self, pair: &mut Pair) -> Result<()> {
        let before = self.redirected(pair)?;
        wait::wait_for(PROMOTION_LIMIT, "redirection to come back", || {
            request::by_hand(pair, 5, 64)?;
            ensure!(self.redirected(pair)? > before, "nothing is redirected: {:?}", self.connections()?.both(pair));
            Ok(())
        })
    }

    /// The same of several, both ways.
    pub fn wait_redirecting_all(&self, pairs: &mut [Pair]) -> Result<()> {
        let before = pairs.iter().map(|pair| self.sent_redirected(pair)).collect::<Result<Vec<_>>>()?;
        wait::wait_for(PROMOTION_LIMIT, "redirection of all to come back", || {
            for (pair, before) in pairs.iter_mut().zip(&before) {
                request::by_hand(pair, 5, 64)?;
                let now = self.sent_redirected(pair)?;
                ensure!(now[0] > before[0] && now[1] > before[1], "redirected {before:?} before, {now:?} now");
            }
            Ok(())
        })
    }

    /// Messages that client and server have sent past the stack; both must be recorded.
    pub fn sent_redirected(&self, pair: &Pair) -> Result<[u64; 2]> {
        let connections = self.connections()?;
        let (client, server) = connections.both(pair)?;
        Ok([client.redirected.messages, server.redirected.messages])
    }

    /// One GET of the admin endpoint, where root asks.
    pub fn get(&self, path: &str) -> Result<Answer> {
        admin::get_privately(&self.socket(), path)
    }

    /// `/status`.
    pub fn status(&self) -> Result<serde_json::Value> {
        Ok(serde_json::from_str(&self.get("/status")?.body)?)
    }

    /// Sum of the samples of a metric that carry this label value ("": all samples); 0 when there is none.
    pub fn metric(&self, name: &str, label: &str) -> Result<u64> {
        admin::sample(&self.get("/metrics")?.body, name, label)
    }

    /// Messages that took this path or met this reason, on the whole node.
    pub fn messages(&self, reason: &str) -> Result<u64> {
        self.metric("meshaccel_messages_total", reason)
    }

    /// Connections to which this happened.
    pub fn events(&self, event: &str) -> Result<u64> {
        self.metric("meshaccel_events_total", event)
    }

    /// What the daemon wrote so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// The folder of its pins.
    pub fn bpffs(&self) -> &Path {
        &self.bpffs
    }

    /// The folder of what redirection has pinned.
    pub fn column(&self) -> PathBuf {
        self.bpffs.join("redirect")
    }

    /// The folder of the layout that is pinned.
    pub fn layout(&self) -> Result<PathBuf> {
        let mut entries = std::fs::read_dir(self.column())?.filter_map(|entry| Some(entry.ok()?.path()));
        let found =
            entries.find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("layout-")));
        found.with_context(|| format!("no layout is pinned at {}", self.bpffs.display()))
    }

    /// Folders of self-tests that have not been removed (yet).
    pub fn self_tests(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.bpffs).into_iter().flatten().flatten().map(|entry| entry.path());
        entries
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("probe-")))
            .collect()
    }

    /// Where everybody may ask.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Where only root may.
    pub fn socket(&self) -> PathBuf {
        self.log.path().join("admin.sock")
    }

    /// Everything that this installation holds in the kernel: its pins, and what its process has open.
    pub fn objects(&self) -> Result<Objects> {
        let mut objects = bpf::pinned(&self.bpffs)?;
        if let Some(child) = &self.child {
            objects.extend(bpf::opened_by(child.id())?);
        }
        Ok(objects)
    }

    fn log_file(&self) -> PathBuf {
        self.log.path().join("log")
    }

    fn remove(&mut self) -> Result<()> {
        let objects = self.objects()?;
        if self.child.is_some() {
            self.kill9()?;
        }
        if self.bpffs.exists() || !self.self_tests().is_empty() {
            self.run_ok(&["uninstall"])?;
        }
        let mut left = Vec::new();
        let gone = wait::wait_until(Duration::from_secs(10), "its programs, maps and links to be freed", || {
            left = objects.iter().filter(|object| object.still_exists().unwrap_or(true)).collect();
            left.is_empty().then_some(())
        });
        gone.with_context(|| format!("left after uninstall: {left:?}"))?;
        ensure!(!self.bpffs.exists(), "uninstall left {}", self.bpffs.display());
        ensure!(self.self_tests().is_empty(), "uninstall left {:?}", self.self_tests());
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            failure::note_leftover(format!("{error:#}"));
            // The next test must not inherit them.
            let _ = std::fs::remove_dir_all(&self.bpffs);
        }
        failure::note_log(self.log());
    }
}
