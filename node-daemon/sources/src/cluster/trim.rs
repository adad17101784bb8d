//! What is kept of a pod: a node may have hundreds, and most of a Pod (environment, volumes, probes, who wrote which field)
//! is nobody's business here.

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, PodStatus};

use crate::IsRead;

/// Drops the rest. `is_read`: the annotations that somebody reads.
pub fn pod(pod: &mut Pod, is_read: IsRead) {
    pod.metadata.managed_fields = None;
    pod.metadata.owner_references = None;
    if let Some(annotations) = &mut pod.metadata.annotations {
        annotations.retain(|name, _| is_read(name));
    }
    if let Some(spec) = pod.spec.take() {
        pod.spec = Some(PodSpec {
            containers: spec.containers.into_iter().map(container).collect(),
            init_containers: spec.init_containers.map(|all| all.into_iter().map(container).collect()),
            host_network: spec.host_network,
            node_name: spec.node_name,
            ..PodSpec::default()
        });
    }
    if let Some(status) = pod.status.take() {
        pod.status = Some(PodStatus { phase: status.phase, ..PodStatus::default() });
    }
}

/// What tells a sidecar: its name, its user, and what the rules of the mesh were told.
fn container(container: Container) -> Container {
    let of_the_mesh = container.name.starts_with("istio-") || container.name.starts_with("linkerd-");
    Container {
        name: container.name,
        command: container.command.filter(|_| of_the_mesh),
        args: container.args.filter(|_| of_the_mesh),
        security_context: container.security_context,
        restart_policy: container.restart_policy,
        ..Container::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_tells_a_sidecar_is_kept() {
        let mut given: Pod = serde_json::from_value(json!({
            "metadata": {"name": "web", "uid": "1", "labels": {"a": "b"}, "managedFields": [{}],
                         "annotations": {"meshaccel.dev/accelerate": "false", "kubernetes.io/config.hash": "0", "other": "text"}},
            "spec": {"hostNetwork": true, "nodeName": "n", "volumes": [{"name": "v"}],
                     "initContainers": [{"name": "istio-proxy", "restartPolicy": "Always", "env": [{"name": "A"}],
                                         "securityContext": {"runAsUser": 1337}}],
                     "containers": [{"name": "app", "image": "x"}]},
            "status": {"phase": "Running", "podIP": "10.0.0.1"},
        }))
        .unwrap();
        pod(&mut given, |name| name != "other");
        let kept = serde_json::to_value(&given).unwrap();
        let expected = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "web", "uid": "1", "labels": {"a": "b"},
                         "annotations": {"meshaccel.dev/accelerate": "false", "kubernetes.io/config.hash": "0"}},
            "spec": {"hostNetwork": true, "nodeName": "n", "containers": [{"name": "app"}],
                     "initContainers": [{"name": "istio-proxy", "restartPolicy": "Always",
                                         "securityContext": {"runAsUser": 1337}}]},
            "status": {"phase": "Running"},
        });
        assert_eq!(kept, expected);
    }
}
