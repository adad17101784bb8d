//! Where the daemon runs, when it is not simply on this machine: in a mount namespace in which something is missing, without
//! some capability, with a system call denied. What is missing elsewhere is made missing here, by the means that it would be.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::binary::{Finished, binary, finish};
use crate::netns::run;
use crate::wait;

/// The start of a command line that runs the daemon in a mount namespace of its own, after these shell commands.
pub fn after(setup: &str) -> Result<Command> {
    wrapped(&["--mount"], setup)
}

/// The same in a cgroup namespace, whose root is the cgroup that `setup` has entered; `mounts` come after that.
pub fn in_cgroup(setup: &str, mounts: &str) -> Result<Command> {
    let mut command = Command::new("sh");
    let script = format!("{setup}\nexec unshare --cgroup --mount sh -ec '{mounts}\nexec \"$@\"' sh \"$@\"");
    command.args(["-ec", &script, "sh"]).arg(binary()?);
    Ok(command)
}

/// The same in a container: process 1 is another one, with mounts of its own. Ends with the process that is started.
pub fn in_container(setup: &str) -> Result<Command> {
    let inner = format!("{setup}\nunshare --mount \"$@\" &\nwait");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-ec", &inner, "sh"]);
    command.arg(binary()?);
    Ok(command)
}

fn wrapped(namespaces: &[&str], setup: &str) -> Result<Command> {
    let mut command = Command::new("unshare");
    command.args(namespaces).args(["sh", "-ec", &format!("{setup}\nexec \"$@\""), "sh"]).arg(binary()?);
    Ok(command)
}

/// Without these capabilities ("-perfmon,-sys_admin").
pub fn without(capabilities: &str) -> Result<Command> {
    let mut command = Command::new("setpriv");
    command.arg(format!("--bounding-set={capabilities}")).arg(binary()?);
    Ok(command)
}

/// With a seccomp filter that answers a system call with an error.
pub fn denying(system_call: libc::c_long, errno: i32) -> Result<Command> {
    let mut command = Command::new(binary()?);
    // SAFETY: prctl is async-signal-safe; the program lives through the call, and the kernel copies it.
    unsafe {
        command.pre_exec(move || {
            // include/uapi/linux/filter.h: load the number, compare, return. The architecture is the test's own.
            let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
            let mut program = [
                statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
                libc::sock_filter {
                    jf: 1,
                    ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, system_call as u32)
                },
                statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno as u32),
                statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
            ];
            let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
            match libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    Ok(command)
}

/// Runs a shell command in the mount namespace of a process.
pub fn change(pid: u32, command: &str) -> Result<()> {
    run("nsenter", &["--target", &pid.to_string(), "--mount", "sh", "-ec", command])?;
    Ok(())
}

/// Runs another verb of the binary in the mount and cgroup namespaces of a process.
pub fn beside(pid: u32, arguments: &[&str]) -> Result<Finished> {
    let mut command = Command::new("nsenter");
    command.args(["--target", &pid.to_string(), "--mount", "--cgroup"]).arg(binary()?).args(arguments);
    finish(command)
}

/// The daemon's process among the descendants of the one that was started.
pub fn daemon_below(pid: u32) -> Result<u32> {
    wait::until("the daemon to be started in its container", std::time::Duration::from_secs(20), || {
        let mut last = pid;
        while let Some(child) = child(last)? {
            last = child;
        }
        let name = std::fs::read_to_string(format!("/proc/{last}/comm")).unwrap_or_default();
        // The kernel cuts names at 15 bytes.
        Ok((last != pid && name.trim() == "meshaccel-node").then_some(last))
    })
}

fn child(pid: u32) -> Result<Option<u32>> {
    let output =
        Command::new("ps").args(["-o", "pid=", "--ppid", &pid.to_string()]).output().context("cannot run ps")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let children: Vec<u32> = text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    ensure!(children.len() <= 1, "process {pid} has several children: {children:?}");
    Ok(children.first().copied())
}
