//! Processes under measurement: started with credentials of their own, ended whatever happens, and their kernel accounts.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use meshaccel_e2e_harness::daemon::{admin, built, spawn};

/// A process may have to wait for its turn while the machine is busy.
const START_LIMIT: Duration = Duration::from_secs(120);

/// A running process with an admin endpoint. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    pub admin: SocketAddr,
    log: PathBuf,
}

impl Process {
    /// The operator.
    pub fn operator(identity: &str, kubeconfig: &Path, folder: &Path) -> Result<Self> {
        let mut command = Command::new(built("meshaccel-operator", "MESHACCEL_OPERATOR")?);
        command.args(["run", "--identity", identity, "--metrics-address"]);
        Self::start("meshaccel-operator", command, kubeconfig, &folder.join(identity))
    }

    /// The daemon of a node. `arguments` end with the option that names its admin address.
    pub fn daemon(arguments: &[&str], kubeconfig: &Path, folder: &Path) -> Result<Self> {
        let mut command = Command::new(built("meshaccel-node", "MESHACCEL_NODE")?);
        command.args(arguments);
        Self::start("meshaccel-node", command, kubeconfig, &folder.join("daemon"))
    }

    fn start(name: &'static str, mut command: Command, kubeconfig: &Path, log: &Path) -> Result<Self> {
        let admin = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let file = File::create(log)?;
        command.arg(admin.to_string()).env("KUBECONFIG", kubeconfig);
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        Ok(Self { name, child: spawn(command)?, admin, log: log.to_owned() })
    }

    /// Waits until it says that it is ready.
    pub async fn ready(&mut self) -> Result<()> {
        let (name, admin) = (self.name, self.admin);
        super::until(&format!("{name} to be ready"), START_LIMIT, || {
            self.check()?;
            Ok(admin::get(admin, "/readyz").ok().filter(|answer| answer.code == 200).map(drop))
        })
        .await
    }

    /// An error with its log when it has ended.
    pub fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            bail!("{} ended ({status}):\n{log}", self.name);
        }
        Ok(())
    }

    /// What it warned of.
    pub fn warnings(&self) -> Vec<String> {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().filter(|line| line.contains(" WARN ") || line.contains("ERROR ")).map(str::to_owned).collect()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// As the kernel's OOM killer would end it.
    pub fn kill9(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the kernel accounts to a process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Account {
    /// CPU time since its start, in s.
    pub cpu: f64,
    /// Resident now, and at most so far, in bytes.
    pub resident: u64,
    pub peak: u64,
}

impl Account {
    pub fn of(pid: u32) -> Result<Self> {
        let read = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            std::fs::read_to_string(&path).with_context(|| path)
        };
        let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?.context("no clock tick rate")?;
        parse(&read("stat")?, &read("status")?, ticks as f64)
            .with_context(|| format!("cannot read the accounts of process {pid}"))
    }
}

fn parse(stat: &str, status: &str, ticks: f64) -> Option<Account> {
    // Behind the name, which may hold anything: utime and stime are fields 14 and 15 of proc_pid_stat(5).
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(|field| field.parse::<f64>().ok());
    let cpu = (times.next()?? + times.next()??) / ticks;
    let field = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    };
    Some(Account { cpu, resident: field("VmRSS:")?, peak: field("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_from_behind_the_name() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 5 6 7";
        let status = "Name:\ta\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n";
        assert_eq!(parse(stat, status, 100.0), Some(Account { cpu: 3.0, resident: 1 << 20, peak: 2 << 20 }));
        let own = Account::of(std::process::id()).unwrap();
        assert!(own.peak >= own.resident && own.resident > 0);
    }
}
