//! The daemon's DaemonSet. Pure.

use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy, RollingUpdateDaemonSet};
use k8s_openapi::api::core::v1::{
    AppArmorProfile, Capabilities, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, EnvVarSource, HTTPGetAction,
    HostPathVolumeSource, ObjectFieldSelector, PodSpec, PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile,
    SecurityContext, Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::daemon::{DAEMON, DaemonSettings, LABEL_NAME, labels, metadata};
use super::placement::{Placement, affinity};

/// Port of the daemon's probes and metrics.
const ADMIN_PORT: i32 = 15077;
/// Where it pins, on the node.
const PINS: &str = "/sys/fs/bpf/meshaccel";
/// The same in the container: below its own /sys no folder can be made to mount at.
const PINS_INSIDE: &str = "/host/bpf";
/// What the daemon may do, and where it needs that:
/// * BPF, PERFMON: load programs and maps, read the kernel's type information
/// * `NET_ADMIN`: attach programs to sockets and cgroups
/// * `SYS_ADMIN`: enter the network namespaces of pods (setns), pin on the BPF file system
/// * `SYS_PTRACE`: follow /proc/PID/ns of processes of other users
/// * `SYS_NICE`: two threads for which system calls of applications may wait run before others
const CAPABILITIES: [&str; 6] = ["BPF", "NET_ADMIN", "PERFMON", "SYS_ADMIN", "SYS_NICE", "SYS_PTRACE"];

/// The DaemonSet for a placement.
pub fn daemon_set(settings: &DaemonSettings, placement: &Placement) -> DaemonSet {
    let selector = [(LABEL_NAME.to_owned(), DAEMON.to_owned())].into();
    let max_unavailable = settings
        .max_unavailable
        .parse()
        .map_or_else(|_| IntOrString::String(settings.max_unavailable.clone()), IntOrString::Int);
    DaemonSet {
        metadata: ObjectMeta { namespace: Some(settings.namespace.clone()), ..metadata() },
        spec: DaemonSetSpec {
            selector: LabelSelector { match_labels: Some(selector), ..LabelSelector::default() },
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(labels()), ..ObjectMeta::default() }),
                spec: Some(pod(settings, placement)),
            },
            update_strategy: Some(DaemonSetUpdateStrategy {
                type_: Some("RollingUpdate".into()),
                rolling_update: Some(RollingUpdateDaemonSet {
                    max_unavailable: Some(max_unavailable),
                    // Two daemons on one node would both believe that the pins are theirs.
                    max_surge: Some(IntOrString::Int(0)),
                }),
            }),
            ..DaemonSetSpec::default()
        },
        ..DaemonSet::default()
    }
}

fn pod(settings: &DaemonSettings, placement: &Placement) -> PodSpec {
    PodSpec {
        affinity: affinity(placement),
        containers: vec![container(settings)],
        enable_service_links: Some(false),
        // Network namespaces of pods are found as /proc/PID/ns/net.
        host_pid: Some(true),
        priority_class_name: Some("system-node-critical".into()),
        service_account_name: Some(DAEMON.into()),
        termination_grace_period_seconds: Some(30),
        // A node with a taint runs pods, too.
        tolerations: Some(vec![Toleration { operator: Some("Exists".into()), ..Toleration::default() }]),
        volumes: Some(vec![
            host_path("cgroup", "/sys/fs/cgroup", "Directory"),
            // Its own folder of the node's bpffs, which the kubelet makes there: other programs' pins are out of reach. Where no bpffs
            // is mounted (systemd does that) sysfs refuses the folder, and an event of the pod says so.
            host_path("bpf", PINS, "DirectoryOrCreate"),
            // The daemon's Unix socket: for who may exec into the pod.
            Volume { name: "run".into(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() },
        ]),
        ..PodSpec::default()
    }
}

fn container(settings: &DaemonSettings) -> Container {
    let mount = |name: &str, path: &str, read_only: bool| VolumeMount {
        name: name.into(),
        mount_path: path.into(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    };
    // What is mounted on the node later must be seen, too: hybrid hierarchies.
    let follow = |mount: VolumeMount| VolumeMount { mount_propagation: Some("HostToContainer".into()), ..mount };
    let quantities = |pairs: &[(&str, &str)]| {
        Some(pairs.iter().map(|(name, quantity)| ((*name).to_owned(), Quantity((*quantity).to_owned()))).collect())
    };
    Container {
        name: "daemon".into(),
        image: Some(settings.image.clone()),
        image_pull_policy: Some("IfNotPresent".into()),
        command: Some(vec!["/meshaccel-node".into()]),
        args: Some(vec![
            "run".into(),
            "--node-name=$(NODE_NAME)".into(),
            "--cgroup-root=/host/cgroup".into(),
            // The kubelet's probes come from outside the pod. So can every other pod: what names pods is on the Unix socket.
            format!("--admin-address=0.0.0.0:{ADMIN_PORT}"),
            format!("--log={}", settings.log),
        ]),
        env: Some(vec![
            EnvVar {
                name: "NODE_NAME".into(),
                value_from: Some(EnvVarSource {
                    field_ref: Some(ObjectFieldSelector {
                        field_path: "spec.nodeName".into(),
                        ..ObjectFieldSelector::default()
                    }),
                    ..EnvVarSource::default()
                }),
                ..EnvVar::default()
            },
            // For commands that are run in the container, too: `kubectl exec ... meshaccel-node connections`.
            EnvVar { name: "MESHACCEL_BPFFS".into(), value: Some(PINS_INSIDE.into()), ..EnvVar::default() },
        ]),
        ports: Some(vec![ContainerPort {
            name: Some("admin".into()),
            container_port: ADMIN_PORT,
            ..ContainerPort::default()
        }]),
        // The self-test of the kernel comes before the admin endpoint answers.
        startup_probe: Some(Probe { failure_threshold: Some(30), ..probe("/livez", 2) }),
        liveness_probe: Some(probe("/livez", 10)),
        readiness_probe: Some(probe("/readyz", 5)),
        resources: Some(ResourceRequirements {
            // It uses a few thousandths of a core. But on a busy node what it has to do must not wait for everyone else: somebody's
            // reader may hang on it.
            requests: quantities(&[("cpu", "100m"), ("memory", "64Mi")]),
            limits: quantities(&[("memory", "256Mi")]),
            ..ResourceRequirements::default()
        }),
        security_context: Some(security_context()),
        volume_mounts: Some(vec![
            follow(mount("cgroup", "/host/cgroup", true)),
            mount("bpf", PINS_INSIDE, false),
            mount("run", "/run/meshaccel", false),
        ]),
        ..Container::default()
    }
}

fn security_context() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        // The default profile of container runtimes denies writing below /sys/fs/bpf. Nodes without AppArmor ignore this.
        app_armor_profile: Some(AppArmorProfile { type_: "Unconfined".into(), ..AppArmorProfile::default() }),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".into()]),
            add: Some(CAPABILITIES.map(String::from).to_vec()),
        }),
        privileged: Some(false),
        read_only_root_filesystem: Some(true),
        run_as_user: Some(0),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".into(), ..SeccompProfile::default() }),
        ..SecurityContext::default()
    }
}

fn host_path(name: &str, path: &str, kind: &str) -> Volume {
    Volume {
        name: name.into(),
        host_path: Some(HostPathVolumeSource { path: path.into(), type_: Some(kind.into()) }),
        ..Volume::default()
    }
}

fn probe(path: &str, period: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.into()),
            port: IntOrString::Int(ADMIN_PORT),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(5),
        ..Probe::default()
    }
}

#[cfg(test)]
mod tests;
