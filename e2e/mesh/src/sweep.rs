//! What an earlier run left when it was killed with SIGKILL: everything the harness makes carries the pid of its owner
//! (`ma-<pid>-...`), so what belongs to no living process can be removed. Runs at the start of every mesh.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Removes namespaces (with the processes in them) and temporary directories of dead owners.
pub fn leftovers() {
    for name in entries(Path::new("/run/netns"), is_orphan) {
        let pids = Command::new("ip").args(["netns", "pids"]).arg(&name).output();
        for pid in pids.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default().lines() {
            if let Ok(pid) = pid.trim().parse() {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        // Another run may be sweeping too: who comes second finds nothing.
        let _ = Command::new("ip").args(["netns", "del"]).arg(&name).output();
    }
    for name in entries(&std::env::temp_dir(), is_orphan) {
        let _ = std::fs::remove_dir_all(std::env::temp_dir().join(name));
    }
    pins();
}

/// Uninstalls what daemons of dead owners pinned (`<prefix><pid>-<number>`).
fn pins() {
    let orphan = |name: &str| name.strip_prefix("meshaccel-test-").is_some_and(|rest| is_orphan(&format!("ma-{rest}")));
    let Ok(binary) = meshaccel_e2e_harness::daemon::binary() else { return };
    for name in entries(Path::new("/sys/fs/bpf"), orphan) {
        let _ = Command::new(&binary).args(["uninstall", "--bpffs"]).arg(Path::new("/sys/fs/bpf").join(name)).output();
    }
}

/// Names under `directory` that this very process made and that still exist.
pub fn own(directory: &Path) -> Vec<String> {
    entries(directory, |name| owner(name) == Some(std::process::id()))
}

fn entries(directory: &Path, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let names = std::fs::read_dir(directory).into_iter().flatten().flatten();
    names.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| wanted(name)).collect()
}

/// True for a name of ours whose owner is dead.
pub fn is_orphan(name: &str) -> bool {
    owner(name).is_some_and(|pid| !PathBuf::from(format!("/proc/{pid}")).exists())
}

/// The pid in `ma-<pid>-...`; `None` for names of others.
fn owner(name: &str) -> Option<u32> {
    name.strip_prefix("ma-")?.split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_dead_owners_are_orphans() {
        assert!(!is_orphan(&format!("ma-{}-0-client", std::process::id())));
        // Above the kernel's largest pid (2^22), so it belongs to nobody.
        assert!(is_orphan("ma-4194305-0-client"));
        assert!(!is_orphan("ma-client"));
        assert!(!is_orphan("cni-4194305-0"));
    }
}
