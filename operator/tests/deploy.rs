//! `deploy/operator.yaml` fits the code: what the operator asks of the API server it may, and little else.

#![allow(clippy::unwrap_used, reason = "a test: what is not there fails it")]

use std::collections::BTreeSet;
use std::path::Path;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject};
use meshaccel_operator::args::Cli;
use meshaccel_operator::plan::access::{access, daemon_rules};
use meshaccel_operator::plan::daemon::{DAEMON, DaemonSettings, OPERATOR, Owned};
use meshaccel_operator::plan::daemon_set::daemon_set;
use meshaccel_operator::plan::placement::Placement;
use serde::de::DeserializeOwned;
use serde_json::Value;

const NAMESPACE: &str = "meshaccel-system";

fn documents() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/operator.yaml");
    let documents = serde_saphyr::from_multiple(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(!documents.is_empty());
    documents
}

/// All objects of a kind. Fields that the type does not know are found by [`nothing_is_misspelt`].
fn all<K: DeserializeOwned>(kind: &str) -> Vec<K> {
    let of_kind = documents().into_iter().filter(|document| document["kind"] == kind);
    of_kind.map(|document| serde_json::from_value(document).unwrap()).collect()
}

fn one<K: DeserializeOwned>(kind: &str) -> K {
    let mut all = all(kind);
    assert_eq!(all.len(), 1, "{kind}");
    all.remove(0)
}

/// One request of the operator.
#[derive(Clone, Debug)]
struct Request {
    group: String,
    resource: String,
    namespace: Option<String>,
    name: Option<String>,
    verb: &'static str,
}

fn request(group: &str, resource: &str, namespace: Option<&str>, name: Option<&str>, verb: &'static str) -> Request {
    Request {
        group: group.into(),
        resource: resource.into(),
        namespace: namespace.map(Into::into),
        name: name.map(Into::into),
        verb,
    }
}

/// The daemon's objects, as they are sent.
fn owned() -> Vec<Owned> {
    let settings = DaemonSettings {
        namespace: NAMESPACE.into(),
        image: "i".into(),
        max_unavailable: "1".into(),
        log: "info".into(),
    };
    let mut owned = access(&settings);
    owned.push(Owned::new(&daemon_set(&settings, &Placement::Everywhere)));
    owned
}

/// All that the operator does.
fn requests() -> Vec<Request> {
    let mut all = Vec::new();
    let group = meshaccel_crds::names::GROUP;
    for verb in ["list", "watch", "patch"] {
        all.push(request(group, "meshaccelerations", None, (verb == "patch").then_some("any"), verb));
    }
    all.push(request(group, "meshaccelerations/status", None, Some("any"), "patch"));
    for verb in ["list", "watch", "delete"] {
        all.push(request(group, "nodeaccelerations", None, (verb == "delete").then_some("any"), verb));
    }
    for verb in ["list", "watch"] {
        all.push(request("", "nodes", None, None, verb));
        // With a field selector on the name, which RBAC takes for the name.
        all.push(request("apps", "daemonsets", Some(NAMESPACE), Some(DAEMON), verb));
    }
    for object in owned() {
        // A patch that makes an object is checked for create, too, with its name.
        for verb in ["get", "create", "patch", "delete"] {
            let resource = &object.resource;
            all.push(request(&resource.group, &resource.plural, object.namespace.as_deref(), Some(&object.name), verb));
        }
    }
    all.push(request("coordination.k8s.io", "leases", Some(NAMESPACE), None, "create"));
    for verb in ["get", "update"] {
        all.push(request("coordination.k8s.io", "leases", Some(NAMESPACE), Some(OPERATOR), verb));
    }
    for verb in ["create", "patch"] {
        all.push(request("events.k8s.io", "events", Some("default"), None, verb));
    }
    all
}

/// The rules that the operator's ServiceAccount has, each with the namespace in which it holds.
fn rules() -> Vec<(Option<String>, PolicyRule)> {
    let ours = |subjects: Option<Vec<Subject>>| {
        let subjects = subjects.unwrap_or_default();
        assert_eq!(subjects.len(), 1);
        assert_eq!((subjects[0].name.as_str(), subjects[0].namespace.as_deref()), (OPERATOR, Some(NAMESPACE)));
    };
    let (cluster_roles, roles) = (all::<ClusterRole>("ClusterRole"), all::<Role>("Role"));
    let mut rules = Vec::new();
    for binding in all::<ClusterRoleBinding>("ClusterRoleBinding") {
        ours(binding.subjects);
        let role =
            cluster_roles.iter().find(|role| role.metadata.name.as_ref() == Some(&binding.role_ref.name)).unwrap();
        rules.extend(role.rules.clone().unwrap().into_iter().map(|rule| (None, rule)));
    }
    for binding in all::<RoleBinding>("RoleBinding") {
        ours(binding.subjects);
        let namespace = binding.metadata.namespace;
        let same = |role: &&Role| {
            role.metadata.name.as_ref() == Some(&binding.role_ref.name) && role.metadata.namespace == namespace
        };
        let role = roles.iter().find(same).unwrap();
        rules.extend(role.rules.clone().unwrap().into_iter().map(|rule| (namespace.clone(), rule)));
    }
    rules
}

fn allows(namespace: Option<&String>, rule: &PolicyRule, request: &Request) -> bool {
    let has = |list: &Option<Vec<String>>, item: &str| list.iter().flatten().any(|entry| entry == item);
    (namespace.is_none() || namespace == request.namespace.as_ref())
        && has(&rule.api_groups, &request.group)
        && has(&rule.resources, &request.resource)
        && rule.verbs.iter().any(|verb| verb == request.verb)
        && rule
            .resource_names
            .as_ref()
            .is_none_or(|names| request.name.as_ref().is_some_and(|name| names.contains(name)))
}

#[test]
fn what_the_operator_does_it_may_do() {
    let rules = rules();
    for request in requests() {
        let allowed = rules.iter().any(|(namespace, rule)| allows(namespace.as_ref(), rule, &request));
        assert!(allowed, "no rule for {request:?}");
    }
}

#[test]
fn there_is_no_rule_without_a_use() {
    let requests = requests();
    let granted: Vec<PolicyRule> = daemon_rules();
    for (namespace, rule) in rules() {
        if granted.contains(&rule) {
            continue;
        }
        let used = requests.iter().any(|request| allows(namespace.as_ref(), &rule, request));
        assert!(used, "{rule:?} is of no use");
        for word in rule.verbs.iter().chain(rule.resources.iter().flatten()).chain(rule.api_groups.iter().flatten()) {
            assert_ne!(word, "*", "{rule:?}");
        }
        for verb in ["escalate", "bind", "impersonate", "deletecollection"] {
            assert!(!rule.verbs.iter().any(|known| known == verb), "{rule:?}");
        }
    }
}

#[test]
fn the_rights_that_are_granted_are_the_daemons_to_the_letter() {
    let roles = all::<ClusterRole>("ClusterRole");
    let grants = roles.iter().find(|role| role.metadata.name.as_deref() == Some("meshaccel-operator-grants")).unwrap();
    assert_eq!(grants.rules.as_ref(), Some(&daemon_rules()));
}

#[test]
fn the_operator_needs_no_privilege() {
    let deployment: Deployment = one("Deployment");
    let spec = deployment.spec;
    assert_eq!(spec.replicas, Some(2));
    let pod = spec.template.spec.unwrap();
    assert_eq!(pod.security_context.as_ref().unwrap().run_as_non_root, Some(true));
    assert_eq!(pod.security_context.unwrap().seccomp_profile.unwrap().type_, "RuntimeDefault");
    assert_eq!((pod.host_pid, pod.host_network, pod.volumes.is_none()), (None, None, true));
    let container = &pod.containers[0];
    let security = container.security_context.as_ref().unwrap();
    assert_eq!((security.allow_privilege_escalation, security.read_only_root_filesystem), (Some(false), Some(true)));
    let capabilities = security.capabilities.as_ref().unwrap();
    assert_eq!((capabilities.drop.as_deref(), capabilities.add.as_ref()), (Some(&["ALL".to_owned()][..]), None));
    assert_eq!(
        spec.selector.match_labels,
        Some(spec.template.metadata.unwrap().labels.unwrap().into_iter().take(1).collect())
    );
}

#[test]
fn the_command_line_in_the_deployment_is_understood() {
    use clap::Parser;
    let deployment: Deployment = one("Deployment");
    let container = deployment.spec.template.spec.unwrap().containers.remove(0);
    let words = container.command.unwrap().into_iter().chain(container.args.unwrap());
    let cli = Cli::try_parse_from(words).unwrap();
    let meshaccel_operator::args::Command::Run(run) = cli.command else { panic!() };
    let port = container.ports.unwrap()[0].container_port;
    assert_eq!(i32::from(run.metrics_address.port()), port);
    assert_eq!(run.namespace, one::<Namespace>("Namespace").metadata.name.unwrap());
}

/// What a type writes is what was read: a field that the type does not know would be missing.
#[test]
fn nothing_is_misspelt() {
    fn same<K: DeserializeOwned + serde::Serialize>(document: &Value) {
        let read: K = serde_json::from_value(document.clone()).unwrap();
        assert_eq!(&serde_json::to_value(read).unwrap(), document);
    }
    let mut kinds = BTreeSet::new();
    for document in documents() {
        let kind = document["kind"].as_str().unwrap().to_owned();
        match kind.as_str() {
            "Namespace" => same::<Namespace>(&document),
            "ServiceAccount" => same::<k8s_openapi::api::core::v1::ServiceAccount>(&document),
            "ClusterRole" => same::<ClusterRole>(&document),
            "ClusterRoleBinding" => same::<ClusterRoleBinding>(&document),
            "Role" => same::<Role>(&document),
            "RoleBinding" => same::<RoleBinding>(&document),
            "Deployment" => same::<Deployment>(&document),
            "PodDisruptionBudget" => same::<k8s_openapi::api::policy::v1::PodDisruptionBudget>(&document),
            other => panic!("unexpected {other}"),
        }
        kinds.insert(kind);
    }
    assert_eq!(kinds.len(), 8);
}
