//! One emulated machine: booted with a kernel and the guest's initramfs, waited for, and gone whatever happens.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use meshaccel_e2e_harness::daemon::spawn;
use meshaccel_e2e_harness::wait;
use tempfile::TempDir;

use super::catalogue::{Kernel, Processor};
use crate::boot::read_disk;
use crate::report::{Expect, Report};

/// The guest ends its story before this.
const LIMIT: Duration = Duration::from_secs(1500);
const DISK: u64 = 64 << 20;
/// Lines of the console that explain a machine which said nothing else.
const TAIL: usize = 40;

/// A machine that is running. Dropping it ends it.
struct Machine {
    qemu: Child,
    folder: TempDir,
}

/// What a machine said, and how long it took.
#[derive(Debug)]
pub struct Outcome {
    pub kernel: Kernel,
    pub seconds: f64,
    pub report: Result<Report>,
}

impl Outcome {
    /// Why this is a failure.
    pub fn failure(&self) -> Option<String> {
        match &self.report {
            Ok(report) => report.failure(),
            Err(error) => Some(format!("{error:#}")),
        }
    }

    /// The steps and what each took, in a line.
    pub fn times(&self) -> String {
        let steps = self.report.iter().flat_map(|report| &report.steps);
        steps.map(|step| format!("{} {:.0} s", step.name, step.seconds)).collect::<Vec<_>>().join(", ")
    }
}

/// Boots a kernel, and waits for its story to end.
pub fn run(kernel: &Kernel) -> Outcome {
    let start = Instant::now();
    let report = Machine::start(kernel).and_then(|mut machine| machine.finish());
    Outcome { kernel: kernel.clone(), seconds: start.elapsed().as_secs_f64(), report }
}

/// The initramfs, which scripts/guest.sh packs: beside the folder of the build's profile.
fn initramfs(processor: Processor) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let target = test.ancestors().find(|folder| folder.ends_with("release") || folder.ends_with("debug"));
    let target = target.and_then(Path::parent).context("the tests are not in a folder that cargo made")?;
    let path = target.join("guests").join(format!("{}.cpio", processor.name()));
    ensure!(path.is_file(), "{} is missing: run scripts/guest.sh", path.display());
    Ok(path)
}

impl Machine {
    fn start(kernel: &Kernel) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("meshaccel-guest-").tempdir()?;
        let disk = folder.path().join("disk");
        File::create(&disk)?.set_len(DISK)?;
        // Emulated in several threads, a processor of x86 may meet an int3 that the other one has already taken out of the code
        // (an old fault of QEMU's, bugzilla.redhat.com 2216496): the kernel panics when programs are attached.
        let (program, machine, processor, accelerator, console) = match kernel.processor {
            Processor::Amd64 => ("qemu-system-x86_64", "q35", "max", "tcg,thread=single,tb-size=512", "ttyS0"),
            Processor::Arm64 => {
                ("qemu-system-aarch64", "virt,gic-version=3", "cortex-a72", "tcg,thread=multi,tb-size=512", "ttyAMA0")
            }
        };
        let mut command = Command::new(program);
        command.args(["-machine", machine, "-cpu", processor, "-accel", accelerator]);
        command.args(["-smp", "2", "-m", "2048", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        command.arg("-serial").arg(format!("file:{}", folder.path().join("console").display()));
        command.arg("-kernel").arg(&kernel.image).arg("-initrd").arg(initramfs(kernel.processor)?);
        let (parameter, expect) = (Expect::PARAMETER, kernel.expect().word());
        // No mitigations: they cost an emulated processor most of its time. panic=-1 with -no-reboot ends the machine.
        let parameters = format!("console={console} panic=-1 quiet mitigations=off {parameter}={expect}");
        command.arg("-append").arg(parameters);
        command.arg("-drive").arg(format!("file={},format=raw,if=none,id=disk", disk.display()));
        command.args(["-device", "nvme,drive=disk,serial=report"]);
        let log = File::create(folder.path().join("qemu"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let qemu =
            spawn(command).with_context(|| format!("{program} cannot be started: run scripts/setup.sh kernels"))?;
        Ok(Self { qemu, folder })
    }

    fn finish(&mut self) -> Result<Report> {
        let ended = wait::until("the machine to power off", LIMIT, || Ok(self.qemu.try_wait()?));
        let report = File::open(self.folder.path().join("disk")).map_err(anyhow::Error::from);
        let report = report.and_then(|mut disk| read_disk(&mut disk));
        match (ended, report) {
            (Ok(status), Ok(report)) if status.success() => Ok(report),
            (ended, report) => {
                let ended = ended.map_or_else(|error| error.to_string(), |status| format!("QEMU ended ({status})"));
                let report = report.map_or_else(|error| error.to_string(), |_| "it handed over a report".to_owned());
                bail!("{ended}; {report}; it said:\n{}{}", self.tail("qemu"), self.tail("console"))
            }
        }
    }

    fn tail(&self, file: &str) -> String {
        let text = std::fs::read(self.folder.path().join(file)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].iter().map(|line| format!("  {line}\n")).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}
