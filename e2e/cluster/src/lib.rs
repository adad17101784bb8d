//! A real Kubernetes for a test: `scripts/cluster.sh` under a name of its own, ended whatever happens.
//!
//! * [`kubectl`] what is asked of it, by the program that people use
//! * [`meshaccel`] its operator and objects
//! * [`mesh`] two pods with Envoys between them, and a load that goes on
//! * [`istio`] the same where Istio injects the sidecars
//! * [`story`] how most tests begin and end; [`node`] what is done to the node from below
//! * [`report`] what there is to know when a test fails
//!
//! [`Cluster::run`] is how a test gets one: a failure in its body is told with the state of the cluster.

pub mod istio;
pub mod kubectl;
pub mod mesh;
pub mod meshaccel;
pub mod node;
mod report;
pub mod story;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use meshaccel_e2e_harness::{cgroup, failure, parts, wait};

/// For a call that waits for something to happen in the cluster.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How much of a node there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Objects can be made; nothing runs.
    ControlPlane,
    /// Pods run.
    Node,
    /// And Istio injects sidecars. Its images come by themselves.
    Istio,
}

/// A running cluster. Dropping it ends it.
#[derive(Debug)]
pub struct Cluster {
    name: String,
    folder: PathBuf,
    kubectl: String,
}

impl Cluster {
    /// Starts a cluster for `body` and ends it afterwards. `images` are names of `scripts/images.sh`; pause comes by
    /// itself.
    pub fn run<T>(extent: Extent, images: &[&str], body: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let cluster = Self::start(extent, images, "")?;
        let result = body(&cluster);
        if let Err(error) = &result {
            // On both sides of what there is to know, of which somebody may see one end only.
            eprintln!("--- {error:#}\n{}--- {error:#}", report::write(&cluster));
        }
        result
    }

    /// A cluster as it is, with further arguments for the API server.
    pub fn start(extent: Extent, images: &[&str], api_server: &str) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        sweep();
        let name = format!("e2e-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let kubectl = parts::cached("cluster-kube/kubectl").context("run scripts/setup.sh cluster")?;
        // Before it is up: a start that fails half-way is ended too.
        let cluster = Self { folder: clusters().join(&name), name, kubectl };
        let mut arguments = vec!["up".to_owned()];
        let mut archives = [&["pause"], images].concat();
        match extent {
            Extent::ControlPlane => {
                arguments.push("--control-plane".to_owned());
                archives.clear();
            }
            Extent::Node => {}
            Extent::Istio => {
                arguments.extend(["--mesh", "istio"].map(str::to_owned));
                archives.extend(istio::IMAGES);
            }
        }
        for image in archives {
            arguments.push(archive(image)?.to_string_lossy().into_owned());
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run_script(&cluster.name, &arguments, &[("MESHACCEL_API_SERVER_ARGS", api_server)])?;
        Ok(cluster)
    }

    /// Runs `scripts/cluster.sh` for this cluster.
    fn script(&self, arguments: &[&str]) -> Result<String> {
        run_script(&self.name, arguments, &[])
    }

    fn end(&self) -> Result<()> {
        self.script(&["down"])?;
        ensure!(!self.folder.exists(), "cluster.sh down left {}", self.folder.display());
        ensure!(!self.netns().exists(), "cluster.sh down left {}", self.netns().display());
        for root in [cgroup::root()?].into_iter().chain(cgroup::v1_root()?) {
            let group = root.join(format!("meshaccel-{}", self.name));
            ensure!(!group.exists(), "cluster.sh down left {}", group.display());
        }
        Ok(())
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Credentials of an administrator, for clients outside of the cluster's namespaces as for those inside.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig/admin")
    }

    /// The network namespace that the node's own processes are in.
    pub fn netns(&self) -> PathBuf {
        PathBuf::from(format!("/run/netns/meshaccel-{}", self.name))
    }

    /// What a part (etcd, kube-apiserver, kubelet, ...) wrote.
    pub fn log_of(&self, part: &str) -> Result<String> {
        let path = self.folder.join("log").join(part);
        Ok(String::from_utf8_lossy(&std::fs::read(&path).with_context(|| path.display().to_string())?).into_owned())
    }

    /// Imports an image into the running cluster.
    pub fn load_image(&self, image: &str) -> Result<()> {
        self.script(&["load", &archive(image)?.to_string_lossy()]).map(drop)
    }

    /// Ends one of the cluster's processes.
    pub fn stop_part(&self, part: &str) -> Result<()> {
        self.script(&["stop", part]).map(drop)
    }

    /// Starts it again.
    pub fn start_part(&self, part: &str) -> Result<()> {
        self.script(&["start", part]).map(drop)
    }

    /// Waits until the API server answers, after it was started again: to people, and to pods by the address of its Service.
    pub fn await_api_server(&self) -> Result<()> {
        wait::wait_for(PATIENCE, "the API server", || self.get_raw("/readyz"))?;
        if self.folder.join("parts/kube-proxy").exists() {
            // An API server that ends takes its address out of the Service first, and kube-proxy, which then refuses
            // connections to it, asks again only after up to half a minute.
            self.stop_part("kube-proxy")?;
            self.start_part("kube-proxy")?;
            let asked = ["curl", "-fsSk", "--noproxy", "*", "--max-time", "2", "https://10.96.0.1/readyz"];
            wait::wait_for(PATIENCE, "the API server at its Service's address", || self.enter(&asked))?;
        }
        Ok(())
    }

    /// Runs a command inside the node: its network, its mounts, its pinned objects.
    pub fn enter(&self, arguments: &[&str]) -> Result<String> {
        self.script(&[&["enter"], arguments].concat())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // MESHACCEL_KEEP: for whoever wants to look at a failure.
        if std::env::var_os("MESHACCEL_KEEP").is_some() {
            eprintln!("kept: scripts/cluster.sh --name {} status", self.name);
        } else if let Err(error) = self.end() {
            failure::note_leftover(format!("{error:#}"));
        }
    }
}

/// `scripts/cluster.sh --name NAME ...`; what it prints to standard output.
fn run_script(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<String> {
    let script = repository().join("scripts/cluster.sh");
    let output = Command::new(&script)
        .args(["--name", name])
        .args(arguments)
        .env("MESHACCEL_CLUSTERS", clusters())
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", script.display()))?;
    if !output.status.success() {
        bail!("cluster.sh {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Clusters of test runs that were killed.
fn sweep() {
    for entry in std::fs::read_dir(clusters()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix("e2e-").and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = run_script(&name, &["down"], &[]);
        }
    }
}

/// Where clusters are; the same as in cluster/lib/names.sh.
fn clusters() -> PathBuf {
    std::env::var_os("MESHACCEL_CLUSTERS").map_or_else(|| "/var/lib/meshaccel/clusters".into(), PathBuf::from)
}

/// The root of this project.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The archive of an image.
fn archive(image: &str) -> Result<PathBuf> {
    let path = repository().join(format!("target/images/{image}.tar"));
    ensure!(path.is_file(), "{} is missing: run scripts/images.sh {image}", path.display());
    Ok(path)
}
