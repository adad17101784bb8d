//! Process 1 of a guest: what a boot needs and no more. The story runs as a process of its own, so that whatever becomes of
//! it there is somebody to tell.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use meshaccel_e2e_harness::{kernel_log, slowness};
use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::report::Report;
use super::steps::REPORT;

/// What is mounted: type, where.
const MOUNTS: [(&str, &str); 10] = [
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("devpts", "/dev/pts"),
    ("tmpfs", "/dev/shm"),
    ("tmpfs", "/tmp"),
    ("tmpfs", "/run"),
    ("cgroup2", "/sys/fs/cgroup"),
    ("bpf", "/sys/fs/bpf"),
    ("tracefs", "/sys/kernel/tracing"),
];
/// The disk that takes the report: the only one, whose driver is in every cloud kernel.
const DISK: &str = "/dev/nvme0n1";
/// Emulated processors take tens of times as long; nothing here may depend on that.
const SLOWNESS: &str = "8";
/// Of this machine's own time. The other side ends the whole machine later than that.
const LIMIT: Duration = Duration::from_secs(1200);

/// Boots, tells, powers off. Never returns.
pub fn run() -> ! {
    let report = boot().unwrap_or_else(|error| Report { log: format!("{error:#}"), ..Report::default() });
    if let Err(error) = hand_over(&report) {
        println!("meshaccel: the report cannot be handed over: {error:#}");
    }
    nix::unistd::sync();
    let Err(error) = reboot(RebootMode::RB_POWER_OFF);
    println!("meshaccel: cannot power off: {error}");
    loop {
        std::thread::park();
    }
}

fn boot() -> Result<Report> {
    for (kind, target) in MOUNTS {
        std::fs::create_dir_all(target)?;
        mount(Some(kind), target, Some(kind), MsFlags::empty(), None::<&str>)
            .with_context(|| format!("cannot mount {kind} at {target}"))?;
    }
    // Older kernels charge maps to the locked memory of the process.
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_MEMLOCK, u64::MAX, u64::MAX)?;
    meshaccel_e2e_harness::netns::run("/bin/ip", &["link", "set", "lo", "up"])?;
    kernel_log::begin()?;
    let status = story()?;
    println!("meshaccel: the story: {status}");
    let text = std::fs::read(REPORT).context("the story wrote no report")?;
    let mut report: Report = serde_json::from_slice(&text)?;
    report.messages = kernel_log::read()?;
    Ok(report)
}

/// The story, with all that the harness looks for in the environment. Its children that lose their parent come to us.
fn story() -> Result<ExitStatus> {
    let mut command = Command::new("/proc/self/exe");
    command.arg("story").stdin(Stdio::null()).env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("MESHACCEL_NODE", "/bin/meshaccel-node").env(slowness::VARIABLE, SLOWNESS).env("TMPDIR", "/tmp");
    let child = Pid::from_raw(command.spawn().context("the story cannot be started")?.id() as i32);
    let start = Instant::now();
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => return Ok(ExitStatus::from_raw(code << 8)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => return Ok(ExitStatus::from_raw(signal as i32)),
            Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(50)),
            Ok(_) => {}
            Err(error) => bail!("the story is lost: {error}"),
        }
        if start.elapsed() > LIMIT {
            // The kernel's own word on who waits for what.
            let _ = std::fs::write("/proc/sysrq-trigger", "w");
            kill(child, Signal::SIGKILL)?;
        }
    }
}

fn hand_over(report: &Report) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !Path::new(DISK).exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut text = serde_json::to_vec(report)?;
    // Whole blocks.
    text.resize(text.len().next_multiple_of(4096), 0);
    let mut disk = File::options().read(true).write(true).open(DISK).with_context(|| format!("cannot open {DISK}"))?;
    disk.write_all(&text)?;
    disk.sync_all()?;
    Ok(disk.flush()?)
}

/// What the other side reads: up to the first zero.
pub fn read_disk(disk: &mut impl Read) -> Result<Report> {
    let mut text = Vec::new();
    disk.read_to_end(&mut text)?;
    let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
    serde_json::from_slice(&text[..end]).context("the guest handed over no report")
}
