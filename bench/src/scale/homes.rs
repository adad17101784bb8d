//! Where pods live, as a kubelet would make it: a control group with the pod's uid, and in it a process in a network
//! namespace of its own. Below a control group of this measurement, so that the daemon finds these pods and no others.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use meshaccel_e2e_harness::cgroup::Cgroup;
use meshaccel_e2e_harness::daemon::spawn;

/// All of them. Dropping it ends the processes, and with them the namespaces.
pub struct Homes {
    homes: Vec<(Child, PathBuf)>,
    root: Cgroup,
}

impl Homes {
    /// For pods of these uids.
    pub fn new(uids: &[String]) -> Result<Self> {
        let mut homes = Self { homes: Vec::new(), root: Cgroup::new("scale")? };
        for uid in uids {
            let path = homes.root.path().join(format!("kubepods/burstable/pod{uid}/sandbox"));
            std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
            let mut command = Command::new("unshare");
            command.args(["--net", "sleep", "infinity"]).stdin(Stdio::null()).stdout(Stdio::null());
            let child = spawn(command)?;
            let id = child.id();
            homes.homes.push((child, path.clone()));
            std::fs::write(path.join("cgroup.procs"), id.to_string())?;
        }
        Ok(homes)
    }

    /// What the daemon takes for the root of the hierarchy.
    pub fn root(&self) -> String {
        self.root.path().display().to_string()
    }
}

impl Drop for Homes {
    fn drop(&mut self) {
        for (child, _) in &mut self.homes {
            let _ = child.kill();
        }
        for (child, path) in &mut self.homes {
            let _ = child.wait();
            for folder in path.ancestors().take_while(|folder| *folder != self.root.path()) {
                // Those above are emptied by the last one.
                let _ = std::fs::remove_dir(folder);
            }
        }
    }
}
