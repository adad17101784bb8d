use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::fixtures::settings;
use super::*;

fn made() -> Value {
    serde_json::to_value(daemon_set(&settings(), &Placement::Everywhere)).unwrap()
}

#[test]
fn the_daemon_is_not_privileged_and_has_the_capabilities_it_needs_and_no_others() {
    let set = made();
    let container = set.pointer("/spec/template/spec/containers/0").unwrap();
    assert_eq!(
        container["securityContext"],
        json!({
            "allowPrivilegeEscalation": false,
            "appArmorProfile": {"type": "Unconfined"},
            "capabilities": {"drop": ["ALL"], "add": ["BPF", "NET_ADMIN", "PERFMON", "SYS_ADMIN", "SYS_NICE", "SYS_PTRACE"]},
            "privileged": false,
            "readOnlyRootFilesystem": true,
            "runAsUser": 0,
            "seccompProfile": {"type": "RuntimeDefault"},
        })
    );
    let pod = set.pointer("/spec/template/spec").unwrap();
    assert_eq!((pod.get("hostPID"), pod.get("hostNetwork")), (Some(&json!(true)), None));
}

#[test]
fn what_is_mounted_is_there() {
    let set = made();
    let names = |pointer: &str| -> BTreeSet<String> {
        let list = set.pointer(pointer).unwrap().as_array().unwrap();
        list.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("/spec/template/spec/volumes"), names("/spec/template/spec/containers/0/volumeMounts"));
}

#[test]
fn of_the_nodes_bpffs_only_the_own_folder_is_mounted() {
    let set = made();
    let paths: Vec<&str> = set
        .pointer("/spec/template/spec/volumes")
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|volume| volume.pointer("/hostPath/path")?.as_str())
        .collect();
    assert_eq!(paths, ["/sys/fs/cgroup", "/sys/fs/bpf/meshaccel"]);
    let container = set.pointer("/spec/template/spec/containers/0").unwrap();
    let writable: Vec<&str> = container["volumeMounts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|mount| mount.get("readOnly") != Some(&json!(true)))
        .map(|mount| mount["mountPath"].as_str().unwrap())
        .collect();
    assert_eq!(writable, ["/host/bpf", "/run/meshaccel"]);
    assert_eq!(container["env"][1], json!({"name": "MESHACCEL_BPFFS", "value": "/host/bpf"}));
}

/// Every pod of the cluster can reach the daemon's address.
#[test]
fn nothing_that_names_pods_is_asked_of_the_address() {
    let set = made();
    let container = set.pointer("/spec/template/spec/containers/0").unwrap();
    let asked: BTreeSet<&str> = ["startupProbe", "livenessProbe", "readinessProbe"]
        .map(|probe| container[probe]["httpGet"]["path"].as_str().unwrap())
        .into();
    assert_eq!(asked, ["/livez", "/readyz"].into());
    // The folder of the Unix socket is the pod's own: the root file system is read-only.
    assert_eq!(set.pointer("/spec/template/spec/volumes/2"), Some(&json!({"name": "run", "emptyDir": {}})));
}

#[test]
fn the_selector_fits_the_template() {
    let set = made();
    let selector = set.pointer("/spec/selector/matchLabels").unwrap().as_object().unwrap();
    let labels = set.pointer("/spec/template/metadata/labels").unwrap();
    for (key, value) in selector {
        assert_eq!(labels.get(key), Some(value));
    }
}

#[test]
fn max_unavailable_is_a_number_or_a_percentage() {
    for (text, value) in [("3", json!(3)), ("10%", json!("10%"))] {
        let settings = DaemonSettings { max_unavailable: text.into(), ..settings() };
        let set = serde_json::to_value(daemon_set(&settings, &Placement::Everywhere)).unwrap();
        assert_eq!(set.pointer("/spec/updateStrategy/rollingUpdate/maxUnavailable"), Some(&value));
    }
}
