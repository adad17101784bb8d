//! The real daemon on a node whose pods change all the time. The pods' processes only sleep: what is measured is what
//! objects cost, not traffic.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Node;
use kube::api::PostParams;
use kube::{Api, Client};
use meshaccel_crds::{MeshAcceleration, MeshAccelerationSpec};
use meshaccel_e2e_harness::daemon::{admin, binary};
use serde_json::{Value, json};

use super::audit::{self, Audit};
use super::control_plane::{self, ControlPlane};
use super::homes::Homes;
use super::pods::Pods;
use super::process::Process;
use super::record::Record;
use super::result::{Busy, Rates, Spread};
use super::{Settings, block_on, detail, until};

const NODE: &str = "busy";
const LIMIT: Duration = Duration::from_secs(60);
/// What a released pod needs before its place is free: the daemon's own grace, and a look.
const TIMED_EVERY: Duration = Duration::from_millis(700);

/// Measures.
pub fn measure(settings: &Settings) -> Result<Busy> {
    ensure!(settings.busy_pods >= 2, "a busy node wants 2 pods or more");
    ensure!(Path::new("/sys/kernel/btf/vmlinux").exists(), "this kernel has no BTF: the daemon cannot run here");
    detail("starting etcd and API server");
    control_plane::with(|plane| {
        let ControlPlane { cluster, folder, operator, audit } = plane;
        let account = || {
            control_plane::credentials(
                cluster,
                folder,
                audit::DAEMON,
                &["--bound-object-kind=Node", &format!("--bound-object-name={NODE}")],
            )
        };
        block_on(async {
            let client = control_plane::client(cluster).await?;
            objects(&client).await?;
            // It makes the daemon's account and its rights.
            let mut operator = Process::operator("one", &operator, folder)?;
            operator.ready().await?;
            let kubeconfig = until("the operator to make the daemon's account", LIMIT, || Ok(account().ok())).await?;
            let (pods, uids) = Pods::make(&client, NODE, settings.busy_pods).await?;
            let homes = Homes::new(&uids)?;
            detail(&format!("{} pods, each in a network namespace of its own", pods.len()));
            let daemon = Installed::start(&homes, &kubeconfig, folder)?;
            run(settings, daemon, pods, audit).await
        })
    })
}

/// A Node, and an object that selects pods by a label.
async fn objects(client: &Client) -> Result<()> {
    let node = json!({"metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}}});
    let node: Node = serde_json::from_value(node)?;
    Api::all(client.clone()).create(&PostParams::default(), &node).await?;
    let spec = json!({"podSelector": {"matchLabels": {"accelerate": "yes"}}});
    let spec: MeshAccelerationSpec = serde_json::from_value(spec)?;
    Api::all(client.clone()).create(&PostParams::default(), &MeshAcceleration::new("busy", spec)).await?;
    Ok(())
}

/// The daemon with pins of its own. Dropping it takes them away.
struct Installed {
    process: Option<Process>,
    pins: PathBuf,
    socket: PathBuf,
}

impl Installed {
    fn start(homes: &Homes, kubeconfig: &Path, folder: &Path) -> Result<Self> {
        let pins = PathBuf::from(format!("/sys/fs/bpf/meshaccel-scale-{}", std::process::id()));
        let (root, path) = (homes.root(), pins.display().to_string());
        let socket = folder.join("admin.sock");
        let listens = format!("--admin-socket={}", socket.display());
        let arguments =
            ["run", "--node-name", NODE, "--cgroup-root", &root, "--bpffs", &path, &listens, "--admin-address"];
        let mut installed = Self { process: None, pins, socket };
        installed.process = Some(Process::daemon(&arguments, kubeconfig, folder)?);
        Ok(installed)
    }

    fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("the daemon is not running")
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        self.process = None;
        let removed = binary()
            .and_then(|path| Ok(Command::new(path).arg("uninstall").arg("--bpffs").arg(&self.pins).output()?));
        if self.pins.exists() {
            eprintln!("left: {} ({removed:?})", self.pins.display());
        }
    }
}

async fn run(settings: &Settings, mut daemon: Installed, pods: Pods, audit: Audit) -> Result<Busy> {
    let socket = daemon.socket.clone();
    let process = daemon.process()?;
    process.ready().await?;
    let count = pods.len();
    until("every pod to be accelerated", LIMIT, || {
        process.check()?;
        Ok((accelerated(&socket)?.len() == count).then_some(()))
    })
    .await?;
    let record = Record::new(audit, audit::DAEMON, process.pid());
    let work = async {
        // The first report, and the memory of the start, are not what is measured.
        tokio::time::sleep(Duration::from_secs(5)).await;
        detail(&format!("{} s in which nothing happens", settings.steady.as_secs()));
        let at_rest = window(&record, tokio::time::sleep(settings.steady)).await?.1;
        detail(&format!("{} s in which pods change", settings.steady.as_secs()));
        let start = Instant::now();
        let (events, busy) = window(&record, pods.go_on(settings.events, settings.steady)).await?;
        let events_a_minute = events? as f64 * 60.0 / start.elapsed().as_secs_f64();
        detail("the same, while one pod's selection is timed");
        let (_, lags) =
            tokio::try_join!(pods.go_on(settings.events, settings.steady), time(&pods, &socket, settings.steady))?;
        settled(&pods, &socket).await?;
        let timed = lags.len();
        Ok(Busy { pods: count, at_rest, busy, events_a_minute, lag: Spread::of(lags), timed })
    };
    let busy = tokio::select! {
        failed = record.go_on() => failed.and(Err(anyhow::anyhow!("the record ended"))),
        done = work => done,
    }?;
    daemon.process()?.check()?;
    detail(&super::table::busy_line(&busy));
    Ok(busy)
}

/// What the daemon does meanwhile.
async fn window<T>(record: &Record, body: impl Future<Output = T>) -> Result<(T, Rates)> {
    let from = record.sample()?;
    let answer = body.await;
    let to = record.sample()?;
    Ok((answer, record.rates(from, to)?))
}

/// Names of the pods that the daemon accelerates now.
fn accelerated(socket: &Path) -> Result<Vec<String>> {
    let status: Value = serde_json::from_str(&admin::get_privately(socket, "/status")?.body)?;
    let pods = status["pods"].as_array().context("no pods in /status")?;
    let of = pods.iter().filter(|pod| pod["state"] == "accelerated");
    // As namespace/name.
    let name = |pod: &Value| Some(pod["pod"].as_str()?.split_once('/')?.1.to_owned());
    of.map(|pod| name(pod).context("a pod without a name")).collect()
}

/// Selects and unselects one pod in turns; how long the daemon took each time after the API server's
/// answer, in s.
async fn time(pods: &Pods, socket: &Path, length: Duration) -> Result<Vec<f64>> {
    let (start, mut lags, mut wanted) = (Instant::now(), Vec::new(), true);
    while start.elapsed() < length {
        tokio::time::sleep(TIMED_EVERY).await;
        wanted = !wanted;
        pods.select(pods.timed(), wanted).await?;
        let answered = Instant::now();
        until("the daemon to follow", LIMIT, || {
            let is = accelerated(socket)?.iter().any(|name| name == pods.timed());
            Ok((is == wanted).then_some(()))
        })
        .await?;
        lags.push(answered.elapsed().as_secs_f64());
    }
    Ok(lags)
}

/// When nothing happens any more, the daemon must have all of it right.
async fn settled(pods: &Pods, socket: &Path) -> Result<()> {
    pods.select_all().await?;
    until("every pod to be accelerated again", LIMIT, || Ok((accelerated(socket)?.len() == pods.len()).then_some(())))
        .await
}
