use super::*;

fn acceleration(spec: &str) -> String {
    format!("apiVersion: meshaccel.dev/v1alpha1\nkind: MeshAcceleration\nmetadata:\n  name: a\nspec:\n{spec}")
}

fn only_problem(text: &str) -> String {
    let problems = read("f.yaml", text).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].to_string()
}

#[test]
fn all_kinds_are_read_from_documents_and_lists() {
    let text = "\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Namespace
  metadata: {name: shop}
- apiVersion: v1
  kind: Pod
  metadata: {name: web, namespace: shop, annotations: {meshaccel.dev/netns: /run/netns/web}}
  spec: {containers: [{name: app}]}
---
apiVersion: meshaccel.dev/v1alpha1
kind: MeshAcceleration
metadata: {name: all, creationTimestamp: 2026-01-02T03:04:05Z}
spec: {podSelector: {}}
---
{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"bare\"}}
";
    let objects = read("f.yaml", text).unwrap();
    let titles: Vec<_> = objects.iter().map(Object::title).collect();
    assert_eq!(titles, ["Namespace shop", "Pod shop/web", "MeshAcceleration all", "Pod default/bare"]);
    let lines: Vec<_> = objects.iter().map(|object| object.line().unwrap()).collect();
    assert_eq!(lines, [4, 7, 12, 17]);
    let Object::Pod(pod) = &objects[1] else { panic!("{objects:?}") };
    assert_eq!(pod.line("metadata.annotations[meshaccel.dev/netns]"), Some(9));
    let Object::Acceleration(acceleration) = &objects[2] else { panic!("{objects:?}") };
    assert!(acceleration.object.metadata.creation_timestamp.is_some());
    assert_eq!(acceleration.line("spec.podSelector"), Some(15));
}

#[test]
fn what_does_not_fit_is_named_by_line_and_field() {
    for (spec, expected) in [
        (
            "  podSelector: {}\n  redirect:\n    limits:\n      maxBytesInFlight: x\n",
            "f.yaml:9: spec.redirect.limits.maxBytesInFlight: invalid type: string \"x\", expected u32",
        ),
        (
            "  podSelector: {}\n  redirect:\n    limit: {}\n",
            "f.yaml:8: spec.redirect.limit: unknown field `limit`, expected one of `enabled`, `scope`, `promotion`, \
             `excludedPorts`, `limits`",
        ),
        (
            "  podSelector:\n    matchLabel: {a: b}\n",
            "f.yaml:7: spec.podSelector.matchLabel: unknown field `matchLabel`, expected `matchLabels` or \
             `matchExpressions`",
        ),
        (
            "  podSelector: {}\n  mode: enforce\n",
            "f.yaml:7: spec.mode: unknown variant `enforce`, expected `Enforce` or `Observe`",
        ),
        (
            "  podSelector: {}\n  mesh:\n    provider: Custom\n    sidecarPorts:\n    - 1\n    - 70000\n",
            "f.yaml:11: spec.mesh.sidecarPorts[1]: invalid value: integer `70000`, expected u16",
        ),
        (
            "  podSelector:\n    matchExpressions:\n    - key: a\n",
            "f.yaml:8: spec.podSelector.matchExpressions[0]: missing field `operator`",
        ),
        ("  podSelector:\n", "f.yaml:6: spec.podSelector: invalid type: null, expected struct LabelSelector"),
        ("  mode: Observe\n", "f.yaml:5: spec: write podSelector, namespaceSelector or both ({} chooses everything)"),
        (
            "  podSelector: {}\n  mesh:\n    sidecarPorts: [80]\n",
            "f.yaml:8: spec.mesh.sidecarPorts: only allowed with provider Custom",
        ),
    ] {
        assert_eq!(only_problem(&acceleration(spec)), expected);
    }
}

#[test]
fn a_problem_names_its_object() {
    let problems = read("f.yaml", &acceleration("  podSelector: 1\n")).unwrap_err();
    assert_eq!(problems[0].object.as_deref(), Some("MeshAcceleration a"));
    let problems =
        read("f.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: n}\nspec: {hostNetwork: 3}\n");
    let problems = problems.unwrap_err();
    assert_eq!(problems[0].object.as_deref(), Some("Pod n/p"));
    assert_eq!(problems[0].field.as_deref(), Some("spec.hostNetwork"));
    assert_eq!(problems[0].line, Some(4));
}

#[test]
fn all_violations_are_reported_together() {
    let spec = "  podSelector: {}\n  mesh: {sidecarPorts: [0], proxyUid: -1}\n";
    assert_eq!(read("f.yaml", &acceleration(spec)).unwrap_err().len(), 4);
}

#[test]
fn documents_that_are_no_objects_of_ours_are_refused() {
    for (text, expected) in [
        ("- 1\n", "f.yaml:1: expected an object with apiVersion, kind and metadata"),
        ("apiVersion: v1\n", "f.yaml:1: kind: missing, or not a string"),
        ("kind: Pod\n", "f.yaml:1: apiVersion: missing, or not a string"),
        ("kind: 7\n", "f.yaml:1: kind: missing, or not a string"),
        (
            "apiVersion: v1\nkind: Service\n",
            "f.yaml:2: kind: kind \"Service\" is not read here, only MeshAcceleration, Namespace and Pod",
        ),
        (
            "apiVersion: meshaccel.dev/v1\nkind: MeshAcceleration\n",
            "f.yaml:1: apiVersion: \"meshaccel.dev/v1\" is not known for kind MeshAcceleration, expected \
             meshaccel.dev/v1alpha1",
        ),
        ("apiVersion: v1\nkind: List\nitems: {}\n", "f.yaml:3: items: expected a list of objects"),
        ("apiVersion: v1\nkind: Namespace\n", "f.yaml:1: metadata.name: missing"),
    ] {
        assert_eq!(only_problem(text), expected);
    }
    let root = format!("{}specs: {{}}\n", acceleration("  podSelector: {}\n"));
    assert_eq!(
        only_problem(&root),
        "f.yaml:7: specs: unknown field, expected one of apiVersion, kind, metadata, spec, status"
    );
}

#[test]
fn names_that_no_cluster_would_take_are_refused() {
    for name in ["''", "a/b", "A", "\"a\\nb\"", "-a", "a.", "x y"] {
        let text = format!("apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n");
        let problem = only_problem(&text);
        assert!(problem.starts_with("f.yaml:4: metadata.name: "), "{problem}");
        assert!(!problem.contains('\n'), "{problem}");
    }
    let text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  namespace: a/b\n";
    assert!(only_problem(text).starts_with("f.yaml:5: metadata.namespace: "));
}

#[test]
fn unknown_fields_of_kubernetes_own_kinds_are_refused() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n";
    for (rest, expected) in [
        ("  annotation: {a: b}\n", "f.yaml:5: metadata.annotation: unknown field"),
        ("spec:\n  hostnetwork: true\n", "f.yaml:6: spec.hostnetwork: unknown field"),
        (
            "spec:\n  containers:\n  - name: a\n  - name: b\n    images: x\n",
            "f.yaml:9: spec.containers[1].images: unknown field",
        ),
    ] {
        assert_eq!(only_problem(&format!("{pod}{rest}")), expected);
    }
    let acceleration = acceleration("  podSelector: {}\n").replace("  name: a\n", "  name: a\n  label: {}\n");
    assert_eq!(only_problem(&acceleration), "f.yaml:5: metadata.label: unknown field");
}

/// As `kubectl get -o yaml` writes pods: with empty values, nulls, quantities, and a status.
#[test]
fn fields_that_are_empty_or_written_otherwise_are_not_unknown() {
    let text = "\
apiVersion: v1
kind: Pod
metadata:
  name: a
  creationTimestamp: null
  labels: {}
  annotations:
  managedFields:
  - {apiVersion: v1, fieldsType: FieldsV1, fieldsV1: {'f:metadata': {'f:labels': {}}}, manager: kubectl,
     operation: Update, time: '2026-01-01T00:00:00Z'}
spec:
  securityContext: {}
  nodeSelector: {}
  initContainers: []
  terminationGracePeriodSeconds: 30
  tolerations: [{key: a, operator: Exists, tolerationSeconds: 300}]
  containers:
  - name: app
    env: [{name: A}, {name: B, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
    ports: [{containerPort: 80}]
    resources: {requests: {cpu: 1, memory: 1.5Gi}, limits: {}}
    livenessProbe: {httpGet: {port: http, path: /}}
    securityContext: {runAsUser: 1337, capabilities: {drop: [ALL]}}
    volumeMounts: [{name: v, mountPath: /v}]
  volumes: [{name: v, emptyDir: {}}, {name: p, projected: {sources: [{serviceAccountToken: {path: token}}]}}]
status: {phase: Running, fieldOfALaterVersion: 1}
";
    assert_eq!(read("f.yaml", text).map(|objects| objects.len()), Ok(1));
}

#[test]
fn one_broken_document_breaks_the_file() {
    let text = format!("{}---\nkind: 7\n", acceleration("  podSelector: {}\n"));
    assert!(only_problem(&text).starts_with("f.yaml:8: kind"));
}

#[test]
fn only_upper_lines_are_kept() {
    let objects = read("f.yaml", &acceleration("  redirect: {limits: {maxMessagesInFlight: 3}}\n  podSelector: {}\n"));
    let objects = objects.unwrap();
    let Object::Acceleration(located) = &objects[0] else { panic!("{objects:?}") };
    assert!(located.origin.lines.contains_key("spec.redirect.limits"));
    assert!(!located.origin.lines.contains_key("spec.redirect.limits.maxMessagesInFlight"));
    assert_eq!(located.line("spec.redirect.limits.maxMessagesInFlight"), Some(6));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic_or_lose_its_reason(text in "(apiVersion: v1\n|kind: (Pod|List)\n|items:\n|- |  |metadata: |\\{name: a\\}|[a-z:{}\\[\\]&*\"'\n -]{0,6}){0,12}") {
        match read("f.yaml", &text) {
            Ok(_) => {}
            Err(problems) => proptest::prop_assert!(problems.iter().all(|problem| !problem.message.is_empty())),
        }
    }
}
