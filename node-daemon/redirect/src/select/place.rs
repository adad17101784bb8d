//! Where a pod lives on this machine, or why it is left alone.
//!
//! Standalone, annotations say where. In a cluster the kubelet does, by the pod's uid, or a static pod's hash: anybody may write
//! annotations there.
//! Nothing is looked up: a path may well lead nowhere.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Pod;
use meshaccel_crds::names::{ANNOTATION_ACCELERATE, ANNOTATION_CGROUP, ANNOTATION_NETNS};
use meshaccel_model::{Located, Location, Problem};

use super::{Written, name_of, namespace_of};

/// Tells a mirror from the pods that the API server starts.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// The hash of a static pod's manifest.
const STATIC_HASH: &str = "kubernetes.io/config.hash";

/// Does `select` read this annotation?
pub fn is_read(annotation: &str) -> bool {
    annotation.starts_with("meshaccel.dev/") || annotation == MIRROR || annotation == STATIC_HASH
}

/// Where a pod lives, and where that is written.
pub struct Placement {
    pub location: Location,
    pub written: Written,
}

/// Places pods.
pub struct Places {
    /// The pods are a kubelet's.
    cluster: bool,
    /// Who lives where, of the pods placed so far.
    inhabitants: HashMap<Location, String>,
}

impl Places {
    /// None is placed yet.
    pub fn new(cluster: bool) -> Self {
        Self { cluster, inhabitants: HashMap::new() }
    }

    /// Where the pod lives, or a sentence why it is left alone; also a problem where somebody made a mistake.
    pub fn of(&mut self, pod: &Located<Pod>, problems: &mut Vec<Problem>) -> Result<Placement, String> {
        may_accelerate(pod, problems)?;
        if self.cluster {
            let uid = match static_hash(pod) {
                Some(hash) => hash.to_owned(),
                None => pod.object.metadata.uid.clone().ok_or("has no uid")?,
            };
            return Ok(Placement { location: Location::Pod(uid), written: Written::default() });
        }
        let (annotation, path) = written(pod, problems)?;
        let location = match annotation {
            ANNOTATION_NETNS => Location::Netns(PathBuf::from(path)),
            _ => Location::Cgroup(PathBuf::from(path)),
        };
        match self.inhabitants.entry(location.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(format!("{}/{}", namespace_of(pod), name_of(pod)));
            }
            Entry::Occupied(entry) => {
                let message = format!("pod {} already lives at {path}, and no two pods can", entry.get());
                return Err(mistake(pod, annotation, message, problems));
            }
        }
        let field = field(annotation);
        let written = Written { file: pod.origin.file.clone(), line: pod.line(&field), field };
        Ok(Placement { location, written })
    }
}

/// The annotation that says where the pod lives, and what it says.
fn written<'a>(pod: &'a Located<Pod>, problems: &mut Vec<Problem>) -> Result<(&'static str, &'a str), String> {
    let (annotation, path) = match (annotation(pod, ANNOTATION_NETNS), annotation(pod, ANNOTATION_CGROUP)) {
        (Some(path), None) => (ANNOTATION_NETNS, path),
        (None, Some(path)) => (ANNOTATION_CGROUP, path),
        (Some(_), Some(_)) => {
            let message = format!("{ANNOTATION_NETNS} and {ANNOTATION_CGROUP} are both given, only one is allowed");
            return Err(mistake(pod, ANNOTATION_CGROUP, message, problems));
        }
        (None, None) => {
            return Err(format!(
                "no annotation {ANNOTATION_NETNS} or {ANNOTATION_CGROUP} says where it lives on this machine"
            ));
        }
    };
    if !Path::new(path).is_absolute() || path.chars().any(char::is_control) {
        return Err(mistake(pod, annotation, format!("{path:?} is not an absolute path"), problems));
    }
    Ok((annotation, path))
}

/// What the kubelet names the cgroup of a static pod by. The API server knows such a pod by a mirror that the kubelet makes
/// there, whose uid is another. Anybody may write these annotations on a pod of their own, so they may name nothing but a
/// static pod: a hash has no dashes, and every uid has.
fn static_hash(pod: &Located<Pod>) -> Option<&str> {
    annotation(pod, MIRROR)?;
    let hash = annotation(pod, STATIC_HASH)?;
    (hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(hash)
}

/// Whether the pod is one that can be accelerated and wants to be.
fn may_accelerate(pod: &Located<Pod>, problems: &mut Vec<Problem>) -> Result<(), String> {
    match annotation(pod, ANNOTATION_ACCELERATE) {
        None | Some("true") => {}
        Some("false") => return Err(format!("opted out by the annotation {ANNOTATION_ACCELERATE}")),
        Some(other) => {
            // Somebody meant to say something about this pod: the ordinary path is the safe reading.
            let message = format!("{other:?} is neither \"true\" nor \"false\"");
            return Err(mistake(pod, ANNOTATION_ACCELERATE, message, problems));
        }
    }
    if pod.object.spec.as_ref().and_then(|spec| spec.host_network) == Some(true) {
        return Err("uses the machine's own network (hostNetwork), where its connections are not its own".to_owned());
    }
    let phase = pod.object.status.as_ref().and_then(|status| status.phase.as_deref());
    match phase {
        Some(phase @ ("Succeeded" | "Failed")) => Err(format!("has finished (phase {phase})")),
        _ => Ok(()),
    }
}

/// Notes a mistake as a problem; gives the sentence for the pod itself.
fn mistake(pod: &Located<Pod>, annotation: &str, message: String, problems: &mut Vec<Problem>) -> String {
    let field = field(annotation);
    let sentence = format!("annotation {annotation}: {message}");
    problems.push(Problem {
        file: pod.origin.file.clone(),
        line: pod.line(&field),
        field: Some(field),
        object: Some(format!("Pod {}/{}", namespace_of(pod), name_of(pod))),
        message,
    });
    sentence
}

fn annotation<'a>(pod: &'a Located<Pod>, name: &str) -> Option<&'a str> {
    pod.object.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

fn field(annotation: &str) -> String {
    format!("metadata.annotations[{annotation}]")
}
