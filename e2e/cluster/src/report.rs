//! What there is to know about a cluster when a test has failed. Nothing here fails: what cannot be had says why.

use std::fmt::Write as _;

use super::Cluster;
use super::kubectl::is_ready;

/// Lines of each log.
const LINES: usize = 8;

/// Pods, events, logs of pods that are not Ready, and the ends of the parts' own logs that hold errors.
pub(super) fn write(cluster: &Cluster) -> String {
    let mut report = format!("--- cluster {} ---\n", cluster.name());
    for arguments in [
        &["get", "pods", "-A", "-o", "wide"][..],
        &["get", "ma,na", "-o", "wide"],
        &["get", "events", "-A", "--sort-by=.lastTimestamp"],
    ] {
        let said = cluster.kubectl(arguments).unwrap_or_else(|error| format!("{error:#}"));
        let _ = writeln!(report, "--- kubectl {}\n{}", arguments.join(" "), tail(&said, 30));
    }
    for pod in cluster.get_json(&["pods", "-A"]).unwrap_or_default()["items"].as_array().into_iter().flatten() {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
        let count = format!("--tail={}", 2 * LINES);
        let arguments = ["logs", "-n", namespace, name, "--all-containers", "--prefix", &count];
        let said = cluster.kubectl(&arguments).unwrap_or_else(|error| format!("{error:#}"));
        let state = if is_ready(pod) { "Ready" } else { "not Ready" };
        let _ = writeln!(report, "--- logs of {namespace}/{name}, {state}\n{}", tail(&said, 2 * LINES));
    }
    for part in ["containerd", "kubelet", "kube-controller-manager", "kube-apiserver"] {
        if let Ok(log) = cluster.log_of(part) {
            let errors: String = log.lines().filter(|line| is_error(line)).map(|line| format!("{line}\n")).collect();
            let _ = writeln!(report, "--- errors of {part}\n{}", tail(&errors, LINES));
        }
    }
    report
}

/// Lines of Kubernetes (`E0102 ...`) and of containerd (`level=error`).
fn is_error(line: &str) -> bool {
    let mut letters = line.chars();
    letters.next() == Some('E') && letters.next().is_some_and(|digit| digit.is_ascii_digit())
        || line.contains("level=error")
}

fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
