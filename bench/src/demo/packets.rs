//! Packets that tcpdump sees on a pod's loopback: redirected messages are not among them.

use std::time::Duration;

use anyhow::{Context, Result};
use meshaccel_e2e_harness::interrupt;
use meshaccel_e2e_mesh::pod::Pod;
use meshaccel_e2e_mesh::process::User;
use nix::sys::signal::{Signal, kill};

const WINDOW: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(10);

/// TCP packets on `lo` of the pod in one second.
pub(super) fn per_second(pod: &Pod, label: &str) -> Result<u64> {
    let name = format!("tcpdump-{label}");
    // -Z root: the pod's user database does not know the user that tcpdump would become.
    let arguments = ["-Z", "root", "-i", "lo", "-n", "-s", "64", "-w", "/dev/null", "tcp"];
    let mut process = pod.start(User::ROOT, &name, "tcpdump", &arguments)?;
    interrupt::until("tcpdump listens", LIMIT, || {
        process.check_running()?;
        Ok(process.log_tail().contains("listening on").then_some(()))
    })?;
    interrupt::window(WINDOW)?;
    kill(process.pid(), Signal::SIGINT)?;
    process.wait(LIMIT)?;
    let log = process.log_tail();
    // Received, not captured: what its buffer had no room for has been seen, too.
    let line = log.lines().find_map(|line| line.split_once(" packets received by filter"));
    line.and_then(|(count, _)| count.trim().parse().ok()).with_context(|| format!("cannot read tcpdump's count: {log}"))
}
