use kube::core::response::{StatusCause, StatusDetails};

use super::*;

fn daemon_set() -> Operation {
    Operation {
        verb: "patch",
        group: "apps".into(),
        resource: "daemonsets".into(),
        kind: "DaemonSet".into(),
        namespace: Some("meshaccel-system".into()),
        name: Some("meshaccel-node".into()),
    }
}

fn list() -> Operation {
    Operation {
        verb: "list",
        group: GROUP.into(),
        resource: "meshaccelerations".into(),
        kind: "MeshAcceleration".into(),
        namespace: None,
        name: None,
    }
}

#[test]
fn a_missing_rule_is_written_as_it_would_stand_in_a_role() {
    let status = Status::failure(
        r#"daemonsets.apps "meshaccel-node" is forbidden: User "u" cannot patch resource "daemonsets" in API group "apps""#,
        "Forbidden",
    )
    .with_code(403);
    assert_eq!(
        refused(&daemon_set(), &status),
        "cannot patch DaemonSet meshaccel-system/meshaccel-node: Role meshaccel-operator lacks the rule {apiGroups: \
         [\"apps\"], resources: [daemonsets], verbs: [patch], resourceNames: [meshaccel-node]}. Apply \
         deploy/operator.yaml of this version"
    );
}

#[test]
fn rights_that_cannot_be_granted_are_named() {
    let status = Status::failure(
        "clusterroles.rbac.authorization.k8s.io \"meshaccel-node\" is forbidden: user \"u\" (groups=[\"g\"]) is attempting \
         to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"list\"]}",
        "Forbidden",
    )
    .with_code(403);
    let role = Operation { kind: "ClusterRole".into(), namespace: None, ..daemon_set() };
    let sentence = refused(&role, &status);
    assert!(
        sentence.contains("ClusterRole meshaccel-operator lacks {APIGroups:[\"\"], Resources:[\"pods\"]"),
        "{sentence}"
    );
}

#[test]
fn what_a_policy_says_is_passed_on() {
    let status =
        Status::failure("admission webhook \"w\" denied the request: no hostPID here", "Forbidden").with_code(403);
    assert!(refused(&daemon_set(), &status).ends_with("denied the request: no hostPID here"));
}

#[test]
fn a_missing_crd_gives_the_command() {
    let status = Status::failure("404 page not found", "Failed to parse error data").with_code(404);
    assert_eq!(
        refused(&list(), &status),
        "cannot list MeshAccelerations: its CRD is missing. Apply it: meshaccel-operator crds | kubectl apply --server-side -f -"
    );
}

#[test]
fn an_object_that_is_gone_is_not_a_missing_crd() {
    let details = StatusDetails {
        name: "a".into(),
        group: GROUP.into(),
        kind: "meshaccelerations".into(),
        uid: String::new(),
        causes: vec![],
        retry_after_seconds: 0,
    };
    let status = Status::failure("meshaccelerations.meshaccel.dev \"a\" not found", "NotFound")
        .with_code(404)
        .with_details(details);
    assert!(refused(&list(), &status).ends_with("\"a\" not found"));
}

#[test]
fn whoever_else_sets_a_field_is_named_with_the_way_out() {
    let cause = |field: &str| StatusCause {
        reason: "FieldManagerConflict".into(),
        message: "conflict with \"kubectl-edit\" using apps/v1".into(),
        field: field.into(),
    };
    let details = StatusDetails {
        name: "meshaccel-node".into(),
        group: "apps".into(),
        kind: "daemonsets".into(),
        uid: String::new(),
        causes: vec![cause(".spec.template.spec.hostPID"), cause(".spec.updateStrategy.type")],
        retry_after_seconds: 0,
    };
    let status = Status::failure("Apply failed with 2 conflicts", "Conflict").with_code(409).with_details(details);
    assert_eq!(
        refused(&daemon_set(), &status),
        "cannot patch DaemonSet meshaccel-system/meshaccel-node: kubectl-edit has set .spec.template.spec.hostPID and 1 more, \
         which is the operator's to set. To let it have its way: kubectl -n meshaccel-system delete daemonset \
         meshaccel-node (it makes it anew; what is accelerated stays so)"
    );
}
