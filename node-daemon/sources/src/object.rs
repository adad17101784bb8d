//! One file's documents as typed objects, or what is wrong with them by field and line.
//!
//! Pure: text in, objects or problems out. A file is taken whole or not at all: [`read`] returns problems instead of
//! objects as soon as one of them is wrong, so that a half-written file changes nothing.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use meshaccel_crds::{MeshAcceleration, names, validate};
use meshaccel_model::lines::{Lines, line_of, parent};
use meshaccel_model::{Located, Origin, Problem};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::document::{self, Content, Node, join_index, join_key};

/// Field names of a MeshAcceleration's root. kube's derive lets others through.
const ROOT_FIELDS: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
/// Levels of fields whose lines outlive reading: `metadata.annotations[x]`, `spec.mesh.sidecarPorts`.
const KEPT_LEVELS: usize = 3;
/// Problems reported of one file. More help nobody, and each costs a walk through its object.
const MAX_PROBLEMS: usize = 32;

/// One object of a kind that is read here.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// What to accelerate, valid.
    Acceleration(Located<MeshAcceleration>),
    /// Labels of pods' namespaces.
    Namespace(Located<Namespace>),
    /// A pod that lives on this machine.
    Pod(Located<Pod>),
}

impl Object {
    /// Kind and name, unique among all objects: `Pod shop/web`.
    pub fn title(&self) -> String {
        match self {
            Self::Acceleration(located) => title(names::KIND, &located.object.metadata),
            Self::Namespace(located) => title("Namespace", &located.object.metadata),
            Self::Pod(located) => title("Pod", &located.object.metadata),
        }
    }

    /// The line on which the object starts.
    pub fn line(&self) -> Option<u64> {
        match self {
            Self::Acceleration(located) => located.line(""),
            Self::Namespace(located) => located.line(""),
            Self::Pod(located) => located.line(""),
        }
    }
}

/// All objects of one file's text, or everything that is wrong with it.
///
/// # Errors
/// With at least one problem.
pub fn read(file: &str, text: &str) -> Result<Vec<Object>, Vec<Problem>> {
    let documents = document::parse(text).map_err(|error| {
        let file = file.to_owned();
        vec![Problem { file, line: error.line, field: None, object: None, message: error.message }]
    })?;
    let mut reader = Reader { file, objects: Vec::new(), problems: Vec::new() };
    documents.iter().for_each(|document| reader.read_document(document));
    if reader.problems.is_empty() { Ok(reader.objects) } else { Err(reader.problems) }
}

struct Reader<'a> {
    file: &'a str,
    objects: Vec<Object>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn read_document(&mut self, node: &Node) {
        let Content::Map(_) = node.content else {
            return self.refuse(node, None, "", "expected an object with apiVersion, kind and metadata");
        };
        let Some(kind) = self.required_text(node, "kind") else { return };
        let Some(api_version) = self.required_text(node, "apiVersion") else { return };
        let expected = match kind {
            names::KIND => names::API_VERSION,
            "Namespace" | "Pod" | "List" => "v1",
            _ => {
                let message =
                    format!("kind {} is not read here, only MeshAcceleration, Namespace and Pod", printable(kind));
                return self.refuse(node, None, "kind", message);
            }
        };
        if api_version != expected {
            let message = format!("{} is not known for kind {kind}, expected {expected}", printable(api_version));
            return self.refuse(node, None, "apiVersion", message);
        }
        match kind {
            "List" => self.read_list(node),
            "Namespace" => {
                if let Some(namespace) = self.typed::<Namespace>(node, kind) {
                    self.accept(node, namespace, kind, |namespace| &mut namespace.metadata, Object::Namespace);
                }
            }
            "Pod" => {
                if let Some(pod) = self.typed::<Pod>(node, kind) {
                    self.accept(node, pod, kind, |pod| &mut pod.metadata, Object::Pod);
                }
            }
            _ => self.read_acceleration(node),
        }
    }

    fn read_list(&mut self, node: &Node) {
        match node.get("items").map(|items| &items.content) {
            Some(Content::List(items)) => items.iter().for_each(|item| self.read_document(item)),
            _ => self.refuse(node, None, "items", "expected a list of objects"),
        }
    }

    fn read_acceleration(&mut self, node: &Node) {
        let kind = names::KIND;
        if let Some(entry) = node.entries().iter().find(|entry| !ROOT_FIELDS.contains(&entry.key.as_str())) {
            let message = format!("unknown field, expected one of {}", ROOT_FIELDS.join(", "));
            return self.refuse(node, untyped_title(node, kind), &join_key("", &entry.key), message);
        }
        let Some(acceleration) = self.typed::<MeshAcceleration>(node, kind) else { return };
        let violations = validate(&acceleration);
        for violation in violations.iter().take(MAX_PROBLEMS) {
            self.refuse(node, untyped_title(node, kind), &violation.field, &violation.message);
        }
        if violations.is_empty() {
            self.accept(node, acceleration, kind, |acceleration| &mut acceleration.metadata, Object::Acceleration);
        }
    }

    /// The node as a value of a type, or a problem with the field that does not fit.
    fn typed<T: DeserializeOwned + Serialize>(&mut self, node: &Node, kind: &str) -> Option<T> {
        let value: T = match serde_path_to_error::deserialize(node.to_value()) {
            Ok(value) => value,
            Err(error) => {
                let field = field_path(error.path());
                self.refuse(node, untyped_title(node, kind), &field, error.inner().to_string());
                return None;
            }
        };
        // MeshAcceleration's own types know their fields, and leave out what is empty. Status is not ours to judge.
        let parts: &[&str] = if kind == names::KIND { &["metadata"] } else { &["metadata", "spec"] };
        let known = serde_json::to_value(&value).unwrap_or_default();
        let unknown = parts.iter().find_map(|part| unknown_field(part, node.get(part)?, known.get(part)?));
        if let Some(field) = unknown {
            self.refuse(node, untyped_title(node, kind), &field, "unknown field");
            return None;
        }
        Some(value)
    }

    /// Checks an object's names and takes it, or says what is wrong with them.
    fn accept<T>(
        &mut self,
        node: &Node,
        mut object: T,
        kind: &str,
        metadata: impl Fn(&mut T) -> &mut ObjectMeta,
        wrap: impl Fn(Located<T>) -> Object,
    ) {
        let meta = metadata(&mut object);
        // As an API server does. Cluster-scoped kinds have none, whatever the file says.
        meta.namespace = match kind {
            "Pod" => Some(meta.namespace.take().unwrap_or_else(|| "default".to_owned())),
            _ => None,
        };
        let name = meta.name.as_deref().unwrap_or_default();
        let namespace = meta.namespace.as_deref().unwrap_or("default");
        for (field, value, longest) in [("metadata.name", name, 253), ("metadata.namespace", namespace, 63)] {
            if let Err(message) = check_name(value, longest) {
                return self.refuse(node, None, field, message);
            }
        }
        let mut lines = node.lines();
        lines.retain(|path, _| levels(path) <= KEPT_LEVELS);
        lines.shrink_to_fit();
        let origin = Arc::new(Origin { file: self.file.to_owned(), lines });
        self.objects.push(wrap(Located { object: Arc::new(object), origin }));
    }

    fn required_text<'n>(&mut self, node: &'n Node, key: &str) -> Option<&'n str> {
        let text = node.get(key).and_then(Node::text);
        if text.is_none() {
            self.refuse(node, None, key, "missing, or not a string");
        }
        text
    }

    fn refuse(&mut self, node: &Node, object: Option<String>, field: &str, message: impl Into<String>) {
        if self.problems.len() >= MAX_PROBLEMS {
            return;
        }
        let lines: Lines = node.lines();
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line: line_of(&lines, field),
            field: Some(field.to_owned()).filter(|field| !field.is_empty()),
            object,
            message: message.into(),
        });
    }
}

/// Kind and name of an object of known type.
fn title(kind: &str, metadata: &ObjectMeta) -> String {
    let name = metadata.name.as_deref().unwrap_or_default();
    match &metadata.namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

/// Kind and name of an object that could not be read, as far as they can be told.
fn untyped_title(node: &Node, kind: &str) -> Option<String> {
    let metadata = node.get("metadata")?;
    let name = metadata.get("name")?.text().filter(|name| check_name(name, 253).is_ok())?;
    if kind != "Pod" {
        return Some(format!("{kind} {name}"));
    }
    let namespace = metadata.get("namespace").map_or(Some("default"), Node::text)?;
    check_name(namespace, 63).ok()?;
    Some(format!("{kind} {namespace}/{name}"))
}

/// Names reach log lines, metric labels and terminals: only what Kubernetes itself allows (RFC 1123).
fn check_name(name: &str, longest: usize) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if name.is_empty() {
        Err("missing".to_owned())
    } else if name.len() > longest {
        Err(format!("longer than {longest} characters"))
    } else if !name.chars().all(allowed) || name.starts_with(['-', '.']) || name.ends_with(['-', '.']) {
        Err(format!(
            "{} may only have lower-case letters, digits, '-' and '.', and must begin and end with a letter or digit",
            printable(name)
        ))
    } else {
        Ok(())
    }
}

/// Text from a file within a message: escaped, and cut where it is endless.
fn printable(text: &str) -> String {
    let mut shown: String = text.chars().take(80).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

/// The first field of a value that its type does not know. Kubernetes' own types drop such fields when they are read,
/// so what is missing from the value written back is unknown: `annotation:` for `annotations:` would opt nobody out.
fn unknown_field(path: &str, node: &Node, known: &Value) -> Option<String> {
    match (&node.content, known) {
        (Content::Map(entries), Value::Object(known)) => entries.iter().find_map(|entry| {
            let path = join_key(path, &entry.key);
            match known.get(&entry.key) {
                Some(known) => unknown_field(&path, &entry.value, known),
                // A known field that is null is not written back.
                None => Some(path).filter(|_| !matches!(entry.value.content, Content::Scalar(Value::Null))),
            }
        }),
        (Content::List(items), Value::Array(known)) => items
            .iter()
            .zip(known)
            .enumerate()
            .find_map(|(index, (item, known))| unknown_field(&join_index(path, index), item, known)),
        _ => None,
    }
}

/// The path as everywhere in this project.
fn field_path(path: &Path) -> String {
    path.iter().fold(String::new(), |path, segment| match segment {
        Segment::Map { key } => join_key(&path, key),
        Segment::Seq { index } => join_index(&path, *index),
        // A variant of an enum is not a field, and what is unknown has no name.
        Segment::Enum { .. } | Segment::Unknown => path,
    })
}

/// How many fields deep a path goes.
fn levels(path: &str) -> usize {
    std::iter::successors(Some(path).filter(|path| !path.is_empty()), |path| {
        parent(path).filter(|path| !path.is_empty())
    })
    .count()
}

#[cfg(test)]
mod tests;
