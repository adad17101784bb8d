//! What the daemon may do at the API server: ServiceAccount, ClusterRole, ClusterRoleBinding, and the policy that holds
//! each daemon to its own node's object. Pure.

use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MatchResources, NamedRuleWithOperations, ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding, ValidatingAdmissionPolicyBindingSpec, ValidatingAdmissionPolicySpec, Validation,
    Variable,
};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use meshaccel_crds::names::GROUP;

use super::daemon::{DAEMON, DaemonSettings, Owned, metadata};

/// All of it, in the order in which it is made: what restricts a right comes before what gives it.
pub fn access(settings: &DaemonSettings) -> Vec<Owned> {
    vec![
        Owned::new(&policy(&settings.namespace)),
        Owned::new(&policy_binding()),
        Owned::new(&service_account(&settings.namespace)),
        Owned::new(&cluster_role()),
        Owned::new(&cluster_role_binding(&settings.namespace)),
    ]
}

fn service_account(namespace: &str) -> ServiceAccount {
    ServiceAccount {
        metadata: ObjectMeta { namespace: Some(namespace.into()), ..metadata() },
        ..ServiceAccount::default()
    }
}

/// One rule.
fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let list = |items: &[&str]| items.iter().map(|&item| item.to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(list(resources)),
        verbs: list(verbs),
        ..PolicyRule::default()
    }
}

/// The daemon's rules. RBAC knows no "pods of one's own node" and no "object of one's own name": the first the daemon
/// narrows by a field selector, the second is [`policy`]'s matter.
pub fn daemon_rules() -> Vec<PolicyRule> {
    vec![
        rule(GROUP, &["meshaccelerations"], &["get", "list", "watch"]),
        rule("", &["namespaces", "nodes", "pods"], &["get", "list", "watch"]),
        rule(GROUP, &["nodeaccelerations"], &["get", "list", "watch", "create", "update", "patch"]),
        rule(GROUP, &["nodeaccelerations/status"], &["get", "update", "patch"]),
    ]
}

fn cluster_role() -> ClusterRole {
    ClusterRole { metadata: metadata(), rules: Some(daemon_rules()), ..ClusterRole::default() }
}

fn cluster_role_binding(namespace: &str) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: metadata(),
        role_ref: RoleRef {
            api_group: Some("rbac.authorization.k8s.io".into()),
            kind: "ClusterRole".into(),
            name: DAEMON.into(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".into(),
            name: DAEMON.into(),
            namespace: Some(namespace.into()),
            ..Subject::default()
        }]),
    }
}

/// Tokens that the kubelet hands to pods say on which node the pod is (since Kubernetes 1.30), and the API server knows
/// it as an extra field of the user. A token without it, made by hand, writes nothing.
fn policy(namespace: &str) -> ValidatingAdmissionPolicy {
    let key = "authentication.kubernetes.io/node-name";
    let node = format!(
        "has(request.userInfo.extra) && '{key}' in request.userInfo.extra && size(request.userInfo.extra['{key}']) > 0 \
         ? string(request.userInfo.extra['{key}'][0]) : ''"
    );
    let name = "request.operation == 'DELETE' ? oldObject.metadata.name : object.metadata.name";
    ValidatingAdmissionPolicy {
        metadata: metadata(),
        spec: Some(ValidatingAdmissionPolicySpec {
            failure_policy: Some("Fail".into()),
            match_constraints: Some(MatchResources {
                resource_rules: Some(vec![NamedRuleWithOperations {
                    api_groups: Some(vec![GROUP.into()]),
                    api_versions: Some(vec!["*".into()]),
                    operations: Some(vec!["CREATE".into(), "UPDATE".into(), "DELETE".into()]),
                    resources: Some(vec!["nodeaccelerations".into(), "nodeaccelerations/status".into()]),
                    ..NamedRuleWithOperations::default()
                }]),
                ..MatchResources::default()
            }),
            match_conditions: Some(vec![MatchCondition {
                name: "written-by-a-daemon".into(),
                expression: format!("request.userInfo.username == 'system:serviceaccount:{namespace}:{DAEMON}'"),
            }]),
            variables: Some(vec![
                Variable { name: "node".into(), expression: node },
                Variable { name: "name".into(), expression: name.into() },
            ]),
            validations: Some(vec![Validation {
                expression: "variables.node != '' && variables.name == variables.node".into(),
                message: Some("a daemon of meshaccel writes the NodeAcceleration of its own node only".into()),
                message_expression: Some(
                    "'a daemon of meshaccel writes the NodeAcceleration of its own node only: this token is of ' + \
                     (variables.node == '' ? 'no node' : 'node ' + variables.node) + ', the object is ' + variables.name"
                        .into(),
                ),
                reason: Some("Forbidden".into()),
            }]),
            ..ValidatingAdmissionPolicySpec::default()
        }),
        ..ValidatingAdmissionPolicy::default()
    }
}

fn policy_binding() -> ValidatingAdmissionPolicyBinding {
    ValidatingAdmissionPolicyBinding {
        metadata: metadata(),
        spec: ValidatingAdmissionPolicyBindingSpec {
            policy_name: DAEMON.into(),
            validation_actions: vec!["Deny".into()],
            ..ValidatingAdmissionPolicyBindingSpec::default()
        },
    }
}
