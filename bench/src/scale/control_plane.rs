//! A control plane with meshaccel's kinds and rights, and credentials as pods get them: ServiceAccounts' tokens.
//!
//! No controller runs beside the API server: those of Kubernetes would find the simulated nodes dead, taint them, and
//! schedule daemons' pods to them, all of which would be measured, too.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use meshaccel_e2e_cluster::meshaccel::NAMESPACE;
use meshaccel_e2e_cluster::{Cluster, Extent, PATIENCE, repository};
use meshaccel_e2e_harness::wait;
use serde_json::json;
use tempfile::TempDir;

use super::audit::{self, Audit};

/// Everything that a measurement stands on.
pub struct ControlPlane<'a> {
    pub cluster: &'a Cluster,
    /// Logs and credentials.
    pub folder: &'a Path,
    pub audit: Audit,
    /// The operator's credentials.
    pub operator: PathBuf,
}

/// Has a cluster of its own for `body`.
pub fn with<T>(body: impl FnOnce(ControlPlane<'_>) -> Result<T>) -> Result<T> {
    let folder: TempDir = tempfile::Builder::new().prefix("meshaccel-scale-").tempdir()?;
    let audit = Audit::prepare(folder.path())?;
    let arguments = audit.arguments();
    // Not for tests: thousands of objects are no help when something fails, and the failure says what it was about.
    let cluster = &Cluster::start(Extent::ControlPlane, &[], &arguments)?;
    for part in ["kube-controller-manager", "kube-scheduler"] {
        cluster.stop_part(part)?;
    }
    for path in ["crds/yaml/", "deploy/operator.yaml"] {
        let path = repository().join(path).display().to_string();
        cluster.kubectl(&["apply", "--server-side", "-f", &path])?;
    }
    // Established is said a moment before the objects are served.
    wait::wait_for(PATIENCE, "the objects to be served", || cluster.kubectl(&["get", "ma,na"]))?;
    let operator = credentials(cluster, folder.path(), audit::OPERATOR, &[])?;
    body(ControlPlane { cluster, folder: folder.path(), audit, operator })
}

/// A kubeconfig with a fresh token of a ServiceAccount; `bound`: options that bind it to an object.
pub fn credentials(cluster: &Cluster, folder: &Path, account: &str, bound: &[&str]) -> Result<PathBuf> {
    let arguments = ["create", "token", account, "-n", NAMESPACE, "--duration=12h"];
    let token = cluster.kubectl(&[&arguments[..], bound].concat())?;
    let admin = cluster.kubectl(&["config", "view", "--raw", "-o", "json"])?;
    let admin: serde_json::Value = serde_json::from_str(&admin)?;
    let own = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "own",
        "clusters": [{"name": "own", "cluster": admin["clusters"][0]["cluster"]}],
        "users": [{"name": "own", "user": {"token": token.trim()}}],
        "contexts": [{"name": "own", "context": {"cluster": "own", "user": "own"}}],
    });
    let path = folder.join(format!("{account}.kubeconfig"));
    std::fs::write(&path, own.to_string())?;
    Ok(path)
}

/// A client of an administrator, for what is simulated and for looking.
pub async fn client(cluster: &Cluster) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).context("the cluster's kubeconfig")?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}
