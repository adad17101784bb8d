//! Processes of a pod: started inside its network namespace under the uid they would have in a cluster, and gone with
//! their guard, with a panic, and with the harness itself.
//!
//! Each gets a mount namespace of its own in which /etc/passwd knows the pod's users, as in a container: PostgreSQL and
//! others refuse to run under a uid without a name. The parent-death signal covers the one case no guard can: the
//! harness killed with SIGKILL.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use meshaccel_e2e_harness::interrupt;
use meshaccel_e2e_harness::netns::Netns;
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Gid, Pid, Uid};

/// Who a process runs as: uid and gid are the same number, as Istio's and Linkerd's images have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User(pub u32);

impl User {
    pub const ROOT: Self = Self(0);
    /// The application's containers.
    pub const APP: Self = Self(1000);
    /// `istio-proxy` in Istio's images.
    pub const ISTIO_PROXY: Self = Self(1337);
    /// `linkerd-proxy`.
    pub const LINKERD_PROXY: Self = Self(2102);
}

/// /etc/passwd as the pod's processes see it.
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/tmp:/bin/sh\n\
    istio-proxy:x:1337:1337::/tmp:/bin/sh\nlinkerd-proxy:x:2102:2102::/tmp:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n";

/// What to start. `log` collects standard output and error unless the caller wants standard output itself.
#[derive(Debug)]
pub struct Launch<'a> {
    pub netns: &'a Netns,
    pub user: User,
    /// Directory for the log and the passwd file.
    pub directory: &'a Path,
    /// The control group it joins, if any.
    pub cgroup: Option<&'a Path>,
    /// The signal that ends it: SIGKILL, or what a program needs to leave nothing behind.
    pub stop: Signal,
    /// True: standard output is kept for [`Process::finish`]. False: it goes to the log.
    pub capture: bool,
}

/// A running process. Dropping it ends it and its process group.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    stop: Signal,
    /// Collected standard output, when it is captured.
    output: Option<PathBuf>,
}

impl Launch<'_> {
    /// Starts `program`; its name and `name` are used in messages and for the log file.
    pub fn start(&self, name: &str, program: &str, arguments: &[&str]) -> Result<Process> {
        let log = self.directory.join(format!("{name}.log"));
        let log_file = File::options().create(true).append(true).open(&log)?;
        let output = self.capture.then(|| self.directory.join(format!("{name}.out")));
        let mut binds = vec![self.passwd()?];
        let program = self.visible(program, &mut binds)?;
        let mut command = Command::new(&program);
        command.args(arguments).current_dir("/").stdin(Stdio::null()).stderr(log_file.try_clone()?);
        match &output {
            Some(path) => command.stdout(File::create(path)?),
            None => command.stdout(log_file),
        };
        // Ctrl-C at the terminal reaches the harness alone, which then ends everything in order.
        command.process_group(0);
        self.confine(&mut command, binds)?;
        let child = spawn(command).with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Process { name: name.to_owned(), child, log, stop: self.stop, output })
    }

    /// The pod's /etc/passwd.
    fn passwd(&self) -> Result<Bind> {
        let source = self.directory.join("passwd");
        std::fs::write(&source, PASSWD)?;
        Bind::new(&source, Path::new("/etc/passwd"))
    }

    /// Where the pod's user sees `program`. One outside of /usr may lie below a home directory that only its owner may
    /// enter, so it is bound into the pod's own directory.
    fn visible(&self, program: &str, binds: &mut Vec<Bind>) -> Result<PathBuf> {
        let path = Path::new(program);
        if !path.is_absolute() || path.starts_with("/usr") {
            return Ok(path.to_owned());
        }
        let target = self.directory.join(path.file_name().context("a program without a name")?).with_extension("bin");
        File::options().create(true).append(true).open(&target)?;
        binds.push(Bind::new(path, &target)?);
        Ok(target)
    }

    /// Makes `command` enter the pod and become its user between fork and exec.
    fn confine(&self, command: &mut Command, binds: Vec<Bind>) -> Result<()> {
        let netns = File::open(self.netns.path()).context("cannot open the pod's network namespace")?;
        let cgroup = self.cgroup.map(|path| File::options().write(true).open(path.join("cgroup.procs"))).transpose();
        let cgroup = cgroup.context("cannot open the control group")?;
        let (user, stop) = (self.user.0, self.stop);
        let body = move || -> io::Result<()> {
            if let Some(cgroup) = &cgroup {
                // 0: the writer itself.
                nix::unistd::write(cgroup, b"0")?;
            }
            setns(netns.as_fd(), CloneFlags::CLONE_NEWNET)?;
            nix::sched::unshare(CloneFlags::CLONE_NEWNS)?;
            // Slave, not private: a namespace file that the harness unmounts must go here too, or it would outlive
            // its removal.
            mount(c"none", c"/", libc::MS_REC | libc::MS_SLAVE)?;
            binds.iter().try_for_each(|bind| mount(&bind.source, &bind.target, libc::MS_BIND))?;
            if user != 0 {
                nix::unistd::setgroups(&[])?;
                nix::unistd::setgid(Gid::from_raw(user))?;
                nix::unistd::setuid(Uid::from_raw(user))?;
            }
            // After the change of user, which would clear it.
            nix::sys::prctl::set_pdeathsig(stop)?;
            Ok(())
        };
        // SAFETY: `body` makes system calls only: no allocation and no locks between fork and exec.
        unsafe { command.pre_exec(body) };
        Ok(())
    }
}

/// A file that a process of the pod sees in another's place.
struct Bind {
    source: CString,
    target: CString,
}

impl Bind {
    fn new(source: &Path, target: &Path) -> Result<Self> {
        let path = |path: &Path| CString::new(path.as_os_str().as_encoded_bytes());
        Ok(Self { source: path(source)?, target: path(target)? })
    }
}

/// mount(2) without a file system type, without allocating.
fn mount(source: &CStr, target: &CStr, flags: libc::c_ulong) -> io::Result<()> {
    // SAFETY: both are NUL-terminated strings; type and data may be null for these flags.
    let result = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), std::ptr::null(), flags, std::ptr::null()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

type Request = (Command, Sender<io::Result<Child>>);

/// Forks from one thread that lives as long as the harness: the parent-death signal is bound to the *thread* that
/// forked, and a test's thread may end before a process that it has handed on.
fn spawn(command: Command) -> Result<Child> {
    static SPAWNER: OnceLock<Mutex<Sender<Request>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = channel::<Request>();
        std::thread::spawn(move || {
            for (mut command, reply) in requests {
                let _ = reply.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (reply, answer) = channel();
    spawner.lock().map_err(|_| anyhow::anyhow!("the spawning thread panicked"))?.send((command, reply))?;
    Ok(answer.recv()??)
}

impl Process {
    /// Process id, for signals.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// The end of what it wrote, for error messages.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// Fails, with the end of its log, when it has ended by itself.
    pub fn check_running(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended early ({status}): {}", self.name, self.log_tail());
        }
        Ok(())
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        interrupt::until(&what, limit, || Ok(self.child.try_wait()?))
    }

    /// Waits for its end, which must be a good one, and returns its captured standard output.
    pub fn finish(mut self, limit: Duration) -> Result<Vec<u8>> {
        let status = self.wait(limit)?;
        if !status.success() {
            bail!("{} failed ({}): {}", self.name, describe(status), self.log_tail());
        }
        self.output.take().map_or(Ok(Vec::new()), |path| Ok(std::fs::read(path)?))
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(Some(_)) = self.child.try_wait() {
            return;
        }
        if self.stop != Signal::SIGKILL {
            let _ = kill(self.pid(), self.stop);
            let ended = |child: &mut Child| matches!(child.try_wait(), Ok(Some(_)) | Err(_));
            let deadline = std::time::Instant::now() + Duration::from_secs(5);
            while !ended(&mut self.child) && std::time::Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let _ = killpg(self.pid(), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}
