//! The demo as a person meets it on an unsuitable machine, and with Ctrl-C.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::netns::Netns;
use meshaccel_e2e_harness::{cgroup, failure, wait};
use meshaccel_e2e_mesh::process::{Launch, User};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const DEMO: &str = env!("CARGO_BIN_EXE_meshaccel-demo");

#[test]
fn without_root_it_says_so() {
    failure::check(|| {
        let netns = Netns::new("user")?;
        let directory = tempfile::tempdir()?;
        std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let user = User::APP;
        let (stop, directory) = (Signal::SIGKILL, directory.path());
        let launch = Launch { netns: &netns, user, directory, cgroup: None, stop, capture: false };
        let mut process = launch.start("demo", DEMO, &[])?;
        let status = process.wait(Duration::from_secs(10))?;
        ensure!(status.code() == Some(1), "it ended with {status}");
        one_sentence(&process.log_tail(), "not root")
    });
}

#[test]
fn without_btf_it_says_so() {
    failure::check(|| {
        let output = with_mounts_changed("mount -t tmpfs none /sys/kernel/btf")?;
        one_sentence(&String::from_utf8(output.stderr)?, "no BTF")
    });
}

#[test]
fn without_cgroup_v2_it_says_so() {
    failure::check(|| {
        let output = with_mounts_changed(&format!("umount -l {}", cgroup::root()?.display()))?;
        one_sentence(&String::from_utf8(output.stderr)?, "cgroup v2 is not mounted")
    });
}

/// Runs the demo in a mount namespace in which `change` was made.
fn with_mounts_changed(change: &str) -> Result<Output> {
    let script = format!("{change} && exec '{DEMO}'");
    let output = Command::new("unshare").args(["--mount", "sh", "-c", &script]).output()?;
    ensure!(output.status.code() == Some(1), "it ended with {output:?}");
    Ok(output)
}

fn one_sentence(stderr: &str, words: &str) -> Result<()> {
    let errors: Vec<&str> = stderr.lines().filter(|line| !line.starts_with('[')).collect();
    let [sentence] = errors[..] else { anyhow::bail!("not one sentence: {stderr}") };
    ensure!(sentence.starts_with("error: ") && sentence.contains(words), "not about {words}: {sentence}");
    Ok(())
}

#[test]
fn interrupted_it_removes_everything() {
    failure::check(|| {
        let mut demo =
            Command::new(DEMO).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("cannot run the demo")?;
        let pid = demo.id();
        let mut lines = BufReader::new(demo.stdout.take().context("no output")?).lines();
        // Both pods are up, and traffic is running.
        lines
            .find(|line| line.as_ref().is_ok_and(|line| line.starts_with("[4/")))
            .context("it never came so far")??;
        ensure!(!names_of(pid).is_empty(), "the demo made nothing that could be left behind");
        kill(Pid::from_raw(pid as i32), Signal::SIGINT)?;
        // Drains its output, so that it cannot block on it.
        let rest = std::thread::spawn(move || lines.count());
        let status = wait::until("the demo to end", Duration::from_secs(30), || Ok(demo.try_wait()?))?;
        let output = demo.wait_with_output()?;
        let _ = rest.join();
        let stderr = String::from_utf8(output.stderr)?;
        ensure!(status.code() == Some(1) && stderr.contains("interrupted"), "it ended with {status}: {stderr}");
        ensure!(names_of(pid).is_empty(), "left behind: {:?}", names_of(pid));
        Ok(())
    });
}

/// Namespaces, pins and temporary directories that carry the demo's process id.
fn names_of(pid: u32) -> Vec<String> {
    let folders = [Path::new("/run/netns"), Path::new("/sys/fs/bpf"), &std::env::temp_dir()].map(std::fs::read_dir);
    let names = folders.into_iter().flatten().flatten().flatten().map(|entry| entry.file_name());
    let names = names.filter_map(|name| name.into_string().ok());
    names.filter(|name| name.contains(&format!("-{pid}-"))).collect()
}
