//! Which pods are accelerated, by which object, and with which settings.
//!
//! Pure: [`select`] turns one state of the objects into the pods to accelerate, the pods that matched and are left
//! alone (with the reason), and what is wrong. It looks at no file, no namespace, no clock; whether a path leads
//! anywhere is found by whoever goes there, who reports it with [`SelectedPod::problem`].
//!
//! Invariants: a pod is selected by at most one object; the order of the input decides nothing; whatever is unclear
//! about a pod leaves it on the ordinary path.

mod matching;
mod mesh;
mod place;

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Pod;
use meshaccel_crds::{MeshAcceleration, Mode, Promotion, Provider, Scope};
use serde::Serialize;

pub use self::matching::selects_node;
use self::matching::{Candidates, Conflicts};
pub use self::place::is_read;
use meshaccel_model::{Located, Location, Objects, Problem};

use self::place::{Placement, Places};

/// What follows from one state of the objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Selection {
    /// To be accelerated; by namespace and name, each once.
    pub pods: Vec<SelectedPod>,
    /// Matched by some object and left alone; by namespace and name, each once, none of them in `pods`.
    pub skipped: Vec<SkippedPod>,
    /// Pods that several objects select.
    pub shared: Vec<SharedPods>,
    /// What is wrong with the objects taken together.
    pub problems: Vec<Problem>,
}

/// Pods that two objects select.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SharedPods {
    /// The object that has them.
    pub winner: String,
    /// The object that has not.
    pub loser: String,
    /// How many.
    pub pods: usize,
    /// The first of them, as namespace/name.
    pub example: String,
}

/// A pod to accelerate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SelectedPod {
    pub namespace: String,
    pub name: String,
    /// Where it lives on this machine.
    pub location: Location,
    /// Name of the MeshAcceleration that selects it.
    pub acceleration: String,
    pub settings: Settings,
    /// Where the location is written, for those who find that it leads nowhere.
    pub written: Written,
}

/// A pod that is matched and left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkippedPod {
    pub namespace: String,
    pub name: String,
    /// Name of the MeshAcceleration that matches it.
    pub acceleration: String,
    /// Why, as a sentence.
    pub message: String,
}

/// Where something is written in the manifests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Name of the file in its folder.
    pub file: String,
    /// Line in that file.
    pub line: Option<u64>,
    /// Path of the field in its object.
    pub field: String,
}

/// How a pod's connections are treated: a MeshAcceleration with everything resolved for one pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Count what would be redirected and touch nothing.
    pub observe: bool,
    /// False: record connections and leave all of them on TCP.
    pub enabled: bool,
    /// Redirect from establishment on, without waiting for evidence.
    pub eager: bool,
    /// Redirect also between the sidecars of two selected pods.
    pub node_local: bool,
    /// Redirect every pod-local connection: no end is told apart as the sidecar's.
    pub any_pair: bool,
    /// The sidecar is that of a known mesh.
    pub known_proxy: bool,
    /// An end with one of these local ports is the sidecar's. Sorted, no duplicates, as are the other lists.
    pub sidecar_ports: Vec<u16>,
    /// An end whose socket one of these users owns is the sidecar's.
    pub proxy_uids: Vec<u32>,
    /// An end with one of these local addresses is the sidecar's.
    pub loopback_sources: Vec<IpAddr>,
    /// A connection with one of these ports at either end stays on TCP.
    pub excluded_ports: Vec<u16>,
    /// Most bytes in flight, one direction of one connection.
    pub max_bytes: u32,
    /// Most messages in flight, one direction of one connection.
    pub max_messages: u32,
}

/// The pods to accelerate in one state of the objects.
#[must_use]
#[tracing::instrument(level = "debug", skip_all, fields(pods = objects.pods.len()))]
pub fn select(objects: &Objects) -> Selection {
    let mut selection = Selection::default();
    let candidates = Candidates::new(objects, &mut selection.problems);
    let mut pods: Vec<_> = objects.pods.iter().collect();
    pods.sort_by_key(|pod| (namespace_of(pod), name_of(pod)));
    let mut conflicts = Conflicts::default();
    let mut places = Places::new(objects.node.is_some());
    for pod in pods {
        let Some((acceleration, losers)) = candidates.matching(&pod.object) else { continue };
        let placement = match places.of(pod, &mut selection.problems) {
            Ok(placement) => placement,
            Err(message) => {
                selection.skipped.push(skipped(pod, acceleration, message));
                continue;
            }
        };
        conflicts.note(acceleration, &losers, pod);
        selection.pods.push(selected(pod, acceleration, placement));
    }
    selection.shared = conflicts.shared();
    selection.problems.extend(conflicts.into_problems());
    selection.problems.sort();
    selection
}

impl SelectedPod {
    /// Something that is wrong with where this pod lives, attributed to the annotation that says so.
    #[must_use]
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem {
            file: self.written.file.clone(),
            line: self.written.line,
            field: Some(self.written.field.clone()).filter(|field| !field.is_empty()),
            object: Some(format!("Pod {}/{}", self.namespace, self.name)),
            message: message.into(),
        }
    }
}

fn selected(
    pod: &Located<Pod>,
    acceleration: &Located<MeshAcceleration>,
    Placement { location, written }: Placement,
) -> SelectedPod {
    SelectedPod {
        namespace: namespace_of(pod).to_owned(),
        name: name_of(pod).to_owned(),
        location,
        acceleration: acceleration_name(acceleration).to_owned(),
        settings: settings(&acceleration.object, &pod.object),
        written,
    }
}

fn skipped(pod: &Located<Pod>, acceleration: &Located<MeshAcceleration>, message: String) -> SkippedPod {
    SkippedPod {
        namespace: namespace_of(pod).to_owned(),
        name: name_of(pod).to_owned(),
        acceleration: acceleration_name(acceleration).to_owned(),
        message,
    }
}

fn settings(acceleration: &MeshAcceleration, pod: &Pod) -> Settings {
    let spec = &acceleration.spec;
    let sidecar = mesh::sidecar(&spec.mesh, pod);
    Settings {
        observe: spec.mode == Mode::Observe,
        enabled: spec.redirect.enabled,
        eager: spec.redirect.promotion == Promotion::Eager,
        node_local: spec.redirect.scope == Scope::NodeLocal,
        any_pair: sidecar.any_pair,
        known_proxy: spec.mesh.provider != Provider::Custom,
        sidecar_ports: sorted(sidecar.ports),
        proxy_uids: sorted(sidecar.uids),
        loopback_sources: sorted(sidecar.sources),
        excluded_ports: sorted(spec.redirect.excluded_ports.clone()),
        max_bytes: spec.redirect.limits.max_bytes_in_flight,
        max_messages: spec.redirect.limits.max_messages_in_flight,
    }
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values.dedup();
    values
}

fn namespace_of(pod: &Located<Pod>) -> &str {
    pod.object.metadata.namespace.as_deref().unwrap_or("default")
}

fn name_of(pod: &Located<Pod>) -> &str {
    pod.object.metadata.name.as_deref().unwrap_or_default()
}

fn acceleration_name(acceleration: &Located<MeshAcceleration>) -> &str {
    acceleration.object.metadata.name.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests;
