//! What failed, in a sentence that says what to do: which rule or command is missing, who else writes a field. Pure.

use std::collections::BTreeSet;
use std::fmt;

use kube::core::Status;
use kube::discovery::ApiResource;
use meshaccel_crds::names::GROUP;
use meshaccel_service::Chain;

use crate::plan::daemon::OPERATOR;

/// A request to the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The verb that RBAC knows it by.
    pub verb: &'static str,
    pub group: String,
    /// Plural, with the subresource: `meshaccelerations/status`.
    pub resource: String,
    pub kind: String,
    pub namespace: Option<String>,
    /// None: all of them.
    pub name: Option<String>,
}

impl Operation {
    pub fn new(verb: &'static str, resource: &ApiResource) -> Self {
        Self {
            verb,
            group: resource.group.clone(),
            resource: resource.plural.clone(),
            kind: resource.kind.clone(),
            namespace: None,
            name: None,
        }
    }

    pub fn on(self, namespace: Option<&str>, name: &str) -> Self {
        Self { namespace: namespace.map(Into::into), name: Some(name.into()), ..self }
    }

    pub fn subresource(self, name: &str) -> Self {
        Self { resource: format!("{}/{name}", self.resource), ..self }
    }

    /// The rule that allows it, as it would stand in a Role.
    fn rule(&self) -> String {
        let names = self.name.as_ref().map(|name| format!(", resourceNames: [{name}]")).unwrap_or_default();
        format!("{{apiGroups: [{:?}], resources: [{}], verbs: [{}]{names}}}", self.group, self.resource, self.verb)
    }
}

/// `DaemonSet meshaccel-system/meshaccel-node`, `MeshAccelerations`.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => write!(f, "{} {namespace}/{name}", self.kind),
            (None, Some(name)) => write!(f, "{} {name}", self.kind),
            (_, None) => write!(f, "{}s", self.kind),
        }
    }
}

/// The sentence for a failed request.
pub fn sentence(operation: &Operation, error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => refused(operation, status),
        kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_) => {
            format!("cannot {} {operation}: the API server does not answer ({})", operation.verb, Chain(error))
        }
        _ => format!("cannot {} {operation}: {}", operation.verb, Chain(error)),
    }
}

/// The sentence for a request that the API server refused.
pub fn refused(operation: &Operation, status: &Status) -> String {
    let verb = operation.verb;
    if status.is_forbidden() {
        return forbidden(operation, status);
    }
    if let Some(sentence) = field_conflict(operation, status) {
        return sentence;
    }
    // Without a name in the answer it is not the object that is missing, but its kind.
    let kind_missing = status.code == 404 && status.details.as_ref().is_none_or(|details| details.name.is_empty());
    if kind_missing && operation.group == GROUP {
        return format!(
            "cannot {verb} {operation}: its CRD is missing. Apply it: {OPERATOR} crds | kubectl apply --server-side -f -"
        );
    }
    if kind_missing {
        return format!(
            "cannot {verb} {operation}: this API server does not know {}.{}",
            operation.resource, operation.group
        );
    }
    format!("cannot {verb} {operation}: {}", status.message)
}

fn forbidden(operation: &Operation, status: &Status) -> String {
    let role = if operation.namespace.is_some() { "Role" } else { "ClusterRole" };
    if let Some((_, missing)) = status.message.split_once("not currently held:") {
        return format!(
            "cannot {} {operation}: the operator may only grant what it may do itself, and {role} {OPERATOR} lacks {}. Apply \
             deploy/operator.yaml of this version",
            operation.verb,
            missing.split_whitespace().collect::<Vec<_>>().join(" ")
        );
    }
    if !status.message.contains("cannot") {
        // Not RBAC: an admission plugin or policy, which says why.
        return format!("cannot {} {operation}: {}", operation.verb, status.message);
    }
    format!(
        "cannot {} {operation}: {role} {OPERATOR} lacks the rule {}. Apply deploy/operator.yaml of this version",
        operation.verb,
        operation.rule()
    )
}

/// Others who have set fields that the operator wants to set.
fn field_conflict(operation: &Operation, status: &Status) -> Option<String> {
    let causes = &status.details.as_ref()?.causes;
    let conflicts: Vec<_> = causes.iter().filter(|cause| cause.reason == "FieldManagerConflict").collect();
    let first = conflicts.first()?;
    let who: BTreeSet<&str> = conflicts.iter().filter_map(|cause| cause.message.split('"').nth(1)).collect();
    let who = who.into_iter().collect::<Vec<_>>().join(" and ");
    let more = match conflicts.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let namespace = operation.namespace.as_ref().map(|namespace| format!("-n {namespace} ")).unwrap_or_default();
    let name = operation.name.as_deref().unwrap_or_default();
    let kind = operation.kind.to_lowercase();
    Some(format!(
        "cannot {} {operation}: {who} has set {}{more}, which is the operator's to set. To let it have its way: kubectl \
         {namespace}delete {kind} {name} (it makes it anew; what is accelerated stays so)",
        operation.verb, first.field
    ))
}

#[cfg(test)]
mod tests;
