//! Which MeshAcceleration selects a pod, and which others would have.
//!
//! The rule when several do: the one with the oldest creationTimestamp, then the first by name. An object without a
//! timestamp (most files) counts as younger than all with one, as it would be if it were applied now.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use meshaccel_crds::{MeshAcceleration, names};
use meshaccel_model::{Located, NodeIdentity, Objects, Problem};

use super::{SharedPods, acceleration_name, name_of, namespace_of};

type Labels = BTreeMap<String, String>;

/// The objects that can select a pod, the one that wins first.
pub struct Candidates<'a> {
    accelerations: Vec<&'a Located<MeshAcceleration>>,
    /// Labels of the namespaces that have an object, with the implicit one.
    namespaces: HashMap<&'a str, Labels>,
}

impl<'a> Candidates<'a> {
    /// All accelerations that can select anything; a problem for each that cannot.
    pub fn new(objects: &'a Objects, problems: &mut Vec<Problem>) -> Self {
        let mut accelerations = Vec::new();
        for acceleration in &objects.accelerations {
            if selects_node(&acceleration.object, objects.node.as_deref()) {
                accelerations.push(acceleration);
            } else if objects.node.is_none() {
                problems.push(problem(
                    acceleration,
                    "spec.nodeSelector",
                    "selects nothing: standalone, this machine has no Node object whose labels could match; leave \
                     nodeSelector out"
                        .to_owned(),
                ));
            }
        }
        accelerations.sort_by(|a, b| precedence(a, b));
        let namespaces = objects.namespaces.iter().filter_map(|located| labels_of(&located.object)).collect();
        Self { accelerations, namespaces }
    }

    /// The object that selects the pod, and those that lose it by the rule.
    pub fn matching(&self, pod: &Pod) -> Option<(&'a Located<MeshAcceleration>, Vec<&'a Located<MeshAcceleration>>)> {
        let none = Labels::new();
        let pod_labels = pod.metadata.labels.as_ref().unwrap_or(&none);
        let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
        // A namespace without an object has the one label that it has in every cluster.
        let implicit;
        let namespace_labels = match self.namespaces.get(namespace) {
            Some(labels) => labels,
            None => {
                implicit = Labels::from([(names::LABEL_NAMESPACE_NAME.to_owned(), namespace.to_owned())]);
                &implicit
            }
        };
        let mut matching = self.accelerations.iter().copied().filter(|acceleration| {
            let spec = &acceleration.object.spec;
            spec.pod_selector.as_ref().is_none_or(|selector| selector.matches(pod_labels))
                && spec.namespace_selector.as_ref().is_none_or(|selector| selector.matches(namespace_labels))
        });
        let winner = matching.next()?;
        Some((winner, matching.collect()))
    }
}

/// Does the object name this machine, and is it to stay? Standalone there is no Node whose labels could match.
pub fn selects_node(acceleration: &MeshAcceleration, node: Option<&NodeIdentity>) -> bool {
    let selector = &acceleration.spec.node_selector;
    let none = Labels::new();
    let labels = node.map_or(&none, |node| &node.labels);
    acceleration.metadata.deletion_timestamp.is_none()
        && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// Pods that several objects select, by the two objects.
#[derive(Default)]
pub struct Conflicts<'a>(Vec<Conflict<'a>>);

struct Conflict<'a> {
    winner: &'a Located<MeshAcceleration>,
    loser: &'a Located<MeshAcceleration>,
    /// The first pod, as an example.
    pod: String,
    others: usize,
}

impl<'a> Conflicts<'a> {
    /// Notes that these objects lost a pod.
    pub fn note(
        &mut self,
        winner: &'a Located<MeshAcceleration>,
        losers: &[&'a Located<MeshAcceleration>],
        pod: &Located<Pod>,
    ) {
        for loser in losers {
            let same = |conflict: &&mut Conflict<'a>| {
                std::ptr::eq(conflict.winner, winner) && std::ptr::eq(conflict.loser, *loser)
            };
            match self.0.iter_mut().find(same) {
                Some(conflict) => conflict.others += 1,
                None => {
                    let pod = format!("{}/{}", namespace_of(pod), name_of(pod));
                    self.0.push(Conflict { winner, loser, pod, others: 0 });
                }
            }
        }
    }

    /// For those who report it object by object.
    pub fn shared(&self) -> Vec<SharedPods> {
        let shared = |conflict: &Conflict<'_>| SharedPods {
            winner: acceleration_name(conflict.winner).to_owned(),
            loser: acceleration_name(conflict.loser).to_owned(),
            pods: conflict.others + 1,
            example: conflict.pod.clone(),
        };
        self.0.iter().map(shared).collect()
    }

    /// One problem for each pair of objects: a thousand shared pods are one mistake.
    pub fn into_problems(self) -> impl Iterator<Item = Problem> {
        self.0.into_iter().map(|conflict| conflict.into_problem())
    }
}

impl Conflict<'_> {
    fn into_problem(self) -> Problem {
        let Self { winner, loser, pod, others } = self;
        let pods = match others {
            0 => format!("pod {pod}"),
            1 => format!("pod {pod} and 1 other"),
            _ => format!("pod {pod} and {others} others"),
        };
        let verb = if others == 0 { "stays" } else { "stay" };
        let (loser_name, winner_name) = (acceleration_name(loser), acceleration_name(winner));
        let winner_file = match winner.origin.file.as_str() {
            "" => String::new(),
            file => format!(" ({file})"),
        };
        let field = match loser.object.spec.pod_selector {
            Some(_) => "spec.podSelector",
            None => "spec.namespaceSelector",
        };
        let message = format!(
            "MeshAcceleration {loser_name} and MeshAcceleration {winner_name}{winner_file} both select {pods}, which \
             {verb} with {winner_name}: the object with the oldest creationTimestamp wins, then the first by name"
        );
        problem(loser, field, message)
    }
}

fn precedence(a: &Located<MeshAcceleration>, b: &Located<MeshAcceleration>) -> Ordering {
    let key = |acceleration: &Located<MeshAcceleration>| -> (bool, Option<Time>) {
        let created = acceleration.object.metadata.creation_timestamp.clone();
        (created.is_none(), created)
    };
    key(a).cmp(&key(b)).then_with(|| acceleration_name(a).cmp(acceleration_name(b)))
}

/// A namespace's name, and its labels with the one that Kubernetes adds.
fn labels_of(namespace: &Namespace) -> Option<(&str, Labels)> {
    let name = namespace.metadata.name.as_deref()?;
    let mut labels = namespace.metadata.labels.clone().unwrap_or_default();
    labels.insert(names::LABEL_NAMESPACE_NAME.to_owned(), name.to_owned());
    Some((name, labels))
}

fn problem(acceleration: &Located<MeshAcceleration>, field: &str, message: String) -> Problem {
    Problem {
        file: acceleration.origin.file.clone(),
        line: acceleration.line(field),
        field: Some(field.to_owned()),
        object: Some(format!("{} {}", names::KIND, acceleration_name(acceleration))),
        message,
    }
}
