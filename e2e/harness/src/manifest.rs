//! The objects that tests hand to the daemon, as builders with verbs, and the folder that holds them.
//!
//! Objects are written as text, not through the types of `crds`: the daemon must read what a person writes.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::netns::Netns;

/// The two ways of promotion; every test of the datapath runs in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promotion {
    Auto,
    Eager,
}

/// A `MeshAcceleration`, with the `Namespace` it selects.
#[derive(Clone, Debug)]
pub struct Acceleration {
    name: String,
    namespace: String,
    promotion: Promotion,
    node_local: bool,
    observe: bool,
    disabled: bool,
    excluded_ports: Vec<u16>,
    limits: Option<(u32, u32)>,
    mesh: String,
}

/// Accelerates every pair of ends in every pod of a namespace: no port and no uid makes an end a sidecar.
pub fn accelerate_everything(namespace: &str) -> Acceleration {
    Acceleration {
        name: format!("accelerate-{namespace}"),
        namespace: namespace.to_owned(),
        promotion: Promotion::Auto,
        node_local: false,
        observe: false,
        disabled: false,
        excluded_ports: Vec::new(),
        limits: None,
        mesh: "provider: Custom".to_owned(),
    }
}

impl Acceleration {
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    #[must_use]
    pub fn promotion(self, promotion: Promotion) -> Self {
        Self { promotion, ..self }
    }

    /// Redirects from establishment on.
    #[must_use]
    pub fn eager(self) -> Self {
        self.promotion(Promotion::Eager)
    }

    /// Redirects once a connection has shown that it is worth it.
    #[must_use]
    pub fn auto(self) -> Self {
        self.promotion(Promotion::Auto)
    }

    /// Also between pods of this node.
    #[must_use]
    pub fn node_local(self) -> Self {
        Self { node_local: true, ..self }
    }

    /// Within pods only.
    #[must_use]
    pub fn pod_local(self) -> Self {
        Self { node_local: false, ..self }
    }

    /// Counts and touches nothing.
    #[must_use]
    pub fn observe(self) -> Self {
        Self { observe: true, ..self }
    }

    /// `redirect.enabled: false`.
    #[must_use]
    pub fn disabled(self) -> Self {
        Self { disabled: true, ..self }
    }

    #[must_use]
    pub fn exclude_ports(self, ports: &[u16]) -> Self {
        Self { excluded_ports: ports.to_vec(), ..self }
    }

    #[must_use]
    pub fn limits(self, bytes: u32, messages: u32) -> Self {
        Self { limits: Some((bytes, messages)), ..self }
    }

    /// Only what connects an application to the sidecar of this mesh, which is known by its own ports and addresses.
    #[must_use]
    pub fn provider(self, provider: &str) -> Self {
        Self { mesh: format!("provider: {provider}"), ..self }
    }

    /// Only what connects an application to a sidecar that listens on these ports.
    #[must_use]
    pub fn sidecar_ports(self, ports: &[u16]) -> Self {
        Self { mesh: format!("provider: Custom, sidecarPorts: {ports:?}"), ..self }
    }

    /// The object, and the namespace that it selects, as YAML documents.
    pub fn yaml(&self) -> String {
        let Self { name, namespace, promotion, mesh, .. } = self;
        let scope = if self.node_local { "NodeLocal" } else { "PodLocal" };
        let mut yaml = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {namespace}\n  labels: {{ e2e: {namespace} }}\n---\n\
             apiVersion: meshaccel.dev/v1alpha1\nkind: MeshAcceleration\nmetadata:\n  name: {name}\nspec:\n  \
             namespaceSelector:\n    matchLabels: {{ e2e: {namespace} }}\n  mode: {}\n  mesh: {{ {mesh} }}\n  \
             redirect:\n    enabled: {}\n    scope: {scope}\n    promotion: {promotion:?}\n",
            if self.observe { "Observe" } else { "Enforce" },
            !self.disabled,
        );
        if !self.excluded_ports.is_empty() {
            let _ = writeln!(yaml, "    excludedPorts: {:?}", self.excluded_ports);
        }
        if let Some((bytes, messages)) = self.limits {
            let _ = writeln!(yaml, "    limits: {{ maxBytesInFlight: {bytes}, maxMessagesInFlight: {messages} }}");
        }
        yaml
    }
}

/// A `Pod` that lives in a network namespace of this machine.
#[derive(Clone, Debug)]
pub struct Pod {
    namespace: String,
    name: String,
    annotations: Vec<(String, String)>,
    labels: Vec<(String, String)>,
}

/// The pod `namespace/name` in `netns`.
pub fn pod(name: &str, netns: &Netns) -> Pod {
    pod_at(name, &netns.path())
}

/// The pod `namespace/name` whose network namespace is said to be at `path`.
pub fn pod_at(name: &str, path: &Path) -> Pod {
    let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
    Pod { namespace: namespace.to_owned(), name: name.to_owned(), annotations: Vec::new(), labels: Vec::new() }
        .annotate("meshaccel.dev/netns", &path.display().to_string())
}

impl Pod {
    #[must_use]
    pub fn annotate(mut self, key: &str, value: &str) -> Self {
        self.annotations.push((key.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The pod's own wish not to be accelerated.
    #[must_use]
    pub fn opted_out(self) -> Self {
        self.annotate("meshaccel.dev/accelerate", "false")
    }

    pub fn yaml(&self) -> String {
        let Self { namespace, name, annotations, labels } = self;
        let list = |pairs: &[(String, String)]| {
            pairs.iter().map(|(key, value)| format!("    {key}: {value:?}\n")).collect::<String>()
        };
        let mut yaml = format!("apiVersion: v1\nkind: Pod\nmetadata:\n  namespace: {namespace}\n  name: {name}\n");
        if !labels.is_empty() {
            yaml += &format!("  labels:\n{}", list(labels));
        }
        yaml += &format!("  annotations:\n{}", list(annotations));
        yaml + "spec:\n  containers:\n  - { name: app, image: app }\n"
    }
}

/// The folder that the daemon watches.
#[derive(Debug)]
pub struct Manifests {
    folder: TempDir,
}

impl Manifests {
    /// An empty folder.
    pub fn new() -> Result<Self> {
        Ok(Self { folder: tempfile::Builder::new().prefix("meshaccel-manifests-").tempdir()? })
    }

    /// A folder with one policy and these pods.
    pub fn of(acceleration: &Acceleration, pods: &[Pod]) -> Result<Self> {
        let manifests = Self::new()?;
        manifests.write("acceleration.yaml", &acceleration.yaml())?;
        let pods: Vec<String> = pods.iter().map(Pod::yaml).collect();
        manifests.write("pods.yaml", &pods.join("---\n"))?;
        Ok(manifests)
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a file there in one step, as `mv` would: the daemon never sees half of it.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path().join(name);
        let mut file = tempfile::Builder::new().prefix(".part-").tempfile_in(self.path())?;
        file.write_all(text.as_bytes())?;
        file.persist(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.path().join(name);
        std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
    }
}
