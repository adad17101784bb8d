//! What the demo needs of the machine: one sentence that says what is missing, before anything is touched.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use meshaccel_e2e_harness::{cgroup, daemon, parts};

/// An error with one sentence for the first thing that is missing.
pub fn check() -> Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "not root: the demo makes network namespaces and loads BPF programs (try `sudo make demo`)"
    );
    ensure!(
        Path::new("/sys/kernel/btf/vmlinux").exists(),
        "this kernel has no BTF (/sys/kernel/btf/vmlinux): meshaccel needs one built with CONFIG_DEBUG_INFO_BTF=y"
    );
    if cgroup::root().is_err() {
        bail!("cgroup v2 is not mounted (neither at /sys/fs/cgroup nor at /sys/fs/cgroup/unified)");
    }
    let missing = parts::missing();
    ensure!(missing.is_empty(), "missing programs: {}; run scripts/setup.sh mesh", missing.join(", "));
    daemon::binary()?;
    Ok(())
}
