use serde_json::{Value, json};

use super::*;

fn pod(spec: Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).unwrap()
}

fn mesh(mesh: Value) -> Mesh {
    serde_json::from_value(mesh).unwrap()
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn istio(uid: u32) -> Sidecar {
    Sidecar { ports: vec![15001, 15006], uids: vec![uid], sources: addresses(&["127.0.0.6", "::6"]), any_pair: false }
}

fn linkerd(uid: u32) -> Sidecar {
    Sidecar { ports: vec![4140, 4143], uids: vec![uid], sources: vec![], any_pair: false }
}

fn both() -> Sidecar {
    Sidecar {
        ports: vec![15001, 15006, 4140, 4143],
        uids: vec![1337, 2102],
        sources: addresses(&["127.0.0.6", "::6"]),
        any_pair: false,
    }
}

#[test]
fn auto_recognises_the_mesh_from_the_containers() {
    let app = json!({"name": "app", "securityContext": {"runAsUser": 7}});
    for (spec, expected) in [
        (json!({"containers": [app, {"name": "istio-proxy"}]}), istio(1337)),
        (
            json!({"containers": [app, {"name": "istio-proxy", "securityContext": {"runAsUser": 1000730001}}]}),
            istio(1_000_730_001),
        ),
        // A native sidecar.
        (json!({"containers": [app], "initContainers": [{"name": "istio-proxy"}]}), istio(1337)),
        (json!({"containers": [app, {"name": "linkerd-proxy", "securityContext": {"runAsUser": 9}}]}), linkerd(9)),
        // Their init containers are no sidecars.
        (json!({"containers": [app], "initContainers": [{"name": "istio-init"}, {"name": "linkerd-init"}]}), both()),
        (json!({"containers": [app]}), both()),
        (json!({"containers": [{"name": "istio-proxy"}, {"name": "linkerd-proxy"}]}), both()),
        // What cannot be a uid says nothing.
        (json!({"containers": [{"name": "istio-proxy", "securityContext": {"runAsUser": -1}}]}), istio(1337)),
        // The pod's user is the application's, too.
        (json!({"securityContext": {"runAsUser": 5}, "containers": [{"name": "istio-proxy"}]}), istio(1337)),
    ] {
        assert_eq!(sidecar(&Mesh::default(), &pod(spec.clone())), expected, "{spec}");
    }
    assert_eq!(sidecar(&Mesh::default(), &Pod::default()), both());
}

#[test]
fn a_named_mesh_holds_whatever_the_containers_say() {
    let linkerd_pod = pod(json!({"containers": [{"name": "linkerd-proxy"}]}));
    assert_eq!(sidecar(&mesh(json!({"provider": "Istio"})), &linkerd_pod), istio(1337));
    let istio_pod = pod(json!({"containers": [{"name": "istio-proxy", "securityContext": {"runAsUser": 5}}]}));
    assert_eq!(sidecar(&mesh(json!({"provider": "Istio"})), &istio_pod), istio(5));
    assert_eq!(sidecar(&mesh(json!({"provider": "Linkerd"})), &istio_pod), linkerd(2102));
}

#[test]
fn custom_is_taken_as_written() {
    let istio_pod = pod(json!({"containers": [{"name": "istio-proxy"}]}));
    for (written, ports, uids, sources, any_pair) in [
        (json!({}), vec![], vec![], vec![], true),
        (json!({"sidecarPorts": [8]}), vec![8], vec![], vec![], false),
        (json!({"proxyUid": 0}), vec![], vec![0], vec![], false),
        (json!({"loopbackSource": "127.0.0.9"}), vec![], vec![], vec!["127.0.0.9"], true),
    ] {
        let mut written = written;
        written["provider"] = json!("Custom");
        let expected = Sidecar { ports, uids, sources: addresses(&sources), any_pair };
        assert_eq!(sidecar(&mesh(written.clone()), &istio_pod), expected, "{written}");
    }
}

#[test]
fn ports_and_user_are_what_the_rules_were_told() {
    let told = |name: &str, args: Value| -> Pod {
        let pod = json!({
            "metadata": {"name": "web"},
            "spec": {"containers": [{"name": "app"}], "initContainers": [{"name": name, "args": args}]},
        });
        serde_json::from_value(pod).unwrap()
    };
    let istio = Mesh { provider: Provider::Istio, ..Mesh::default() };
    let pod = told("istio-init", json!(["istio-iptables", "-p", "15101", "-z", "15106", "-u", "1500"]));
    let found = sidecar(&istio, &pod);
    assert_eq!((found.ports, found.uids), (vec![15101, 15106], vec![1500]));
    let pod = told("istio-validation", json!(["istio-iptables", "-p", "15001", "-z"]));
    assert_eq!(sidecar(&istio, &pod).ports, [15001, 15006]);
    let linkerd = Mesh { provider: Provider::Linkerd, ..Mesh::default() };
    let pod = told("linkerd-init", json!(["--incoming-proxy-port=5143", "--outgoing-proxy-port", "70000"]));
    assert_eq!(sidecar(&linkerd, &pod).ports, [4140, 5143]);
}

/// As the webhook of Istio 1.31 leaves a pod: the rules, then the sidecar as an init container that stays.
#[test]
fn what_istio_injects_is_recognised() {
    let injected = |uid: i64, ports: [&str; 2]| {
        let uid_text = uid.to_string();
        pod(json!({
            "containers": [{"name": "server", "securityContext": {"runAsUser": 1000}}],
            "initContainers": [
                {
                    "name": "istio-init",
                    "args": [
                        "istio-iptables", "-p", ports[0], "-z", ports[1], "-u", uid_text, "-m", "REDIRECT", "-i", "*",
                        "-x", "", "-b", "*", "-d", "15090,15021,15020", "--log_output_level=default:info",
                    ],
                    "securityContext": {"runAsUser": 0, "runAsGroup": 0, "runAsNonRoot": false},
                },
                {
                    "name": "istio-proxy",
                    "restartPolicy": "Always",
                    "args": [
                        "proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.cluster.local", "--proxyLogLevel=warning",
                        "--proxyComponentLogLevel=misc:error", "--log_output_level=default:info",
                    ],
                    "securityContext": {"runAsUser": uid, "runAsGroup": uid, "runAsNonRoot": true},
                },
            ],
        }))
    };
    assert_eq!(sidecar(&Mesh::default(), &injected(1337, ["15001", "15006"])), istio(1337));
    let elsewhere = sidecar(&Mesh::default(), &injected(1500, ["15101", "15106"]));
    assert_eq!((elsewhere.ports, elsewhere.uids), (vec![15101, 15106], vec![1500]));
}
