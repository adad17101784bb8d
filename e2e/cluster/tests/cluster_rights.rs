//! What the operator and the daemons may not do, tried with their own tokens against the real API server.

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_cluster::meshaccel::{Meshaccel, NAMESPACE};
use meshaccel_e2e_cluster::story::LIMIT;
use meshaccel_e2e_cluster::{Cluster, Extent};
use meshaccel_e2e_harness::failure;
use serde_json::json;

/// A request, and what the refusal must say; empty: it is allowed.
struct Try {
    arguments: &'static [&'static str],
    input: String,
    refusal: &'static str,
}

fn ask(arguments: &'static [&'static str], refusal: &'static str) -> Try {
    Try { arguments, input: String::new(), refusal }
}

fn create(object: serde_json::Value, refusal: &'static str) -> Try {
    Try { arguments: &["create", "-f", "-"], input: object.to_string(), refusal }
}

#[test]
fn neither_may_do_more_than_it_must() {
    failure::check(|| {
        Cluster::run(Extent::Node, &["node", "operator"], |cluster| {
            let meshaccel = Meshaccel::install(cluster)?;
            meshaccel.accelerate("mesh", "Enforce")?;
            meshaccel.wait_condition("mesh", "Programmed", "True", LIMIT)?;
            attempts(cluster, "meshaccel-node", &of_the_daemon())?;
            attempts(cluster, "meshaccel-operator", &of_the_operator())
        })
    });
}

fn of_the_daemon() -> Vec<Try> {
    let report = |name: &str| json!({"apiVersion": "meshaccel.dev/v1alpha1", "kind": "NodeAcceleration", "metadata": {"name": name}, "spec": {}});
    let only_its_own = "a daemon of meshaccel writes the NodeAcceleration of its own node only";
    vec![
        ask(&["get", "pods", "-A"], ""),
        ask(&["get", "ma"], ""),
        ask(&["patch", "na", "node-0", "--subresource=status", "--type=merge", "-p", "{}"], ""),
        create(report("somebody-else"), only_its_own),
        ask(&["delete", "na", "node-0"], "forbidden"),
        ask(&["patch", "ma", "mesh", "--type=merge", "-p", "{}"], "forbidden"),
        ask(&["patch", "ma", "mesh", "--subresource=status", "--type=merge", "-p", "{}"], "forbidden"),
        ask(&["delete", "ma", "mesh"], "forbidden"),
        ask(&["get", "secrets", "-A"], "forbidden"),
        ask(&["get", "configmaps", "-n", NAMESPACE], "forbidden"),
        ask(&["delete", "pods", "--all", "-n", NAMESPACE], "forbidden"),
        ask(&["label", "node", "node-0", "a=b"], "forbidden"),
        ask(&["create", "token", "meshaccel-operator", "-n", NAMESPACE], "forbidden"),
    ]
}

fn of_the_operator() -> Vec<Try> {
    let role = |rules: serde_json::Value| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "another"},
            "rules": rules,
        })
    };
    vec![
        ask(&["get", "ma,na,nodes"], ""),
        ask(&["get", "daemonset", "meshaccel-node", "-n", NAMESPACE], ""),
        ask(&["get", "secrets", "-A"], "forbidden"),
        ask(&["get", "pods", "-n", "kube-system"], ""),
        ask(&["delete", "pods", "--all", "-n", NAMESPACE], "forbidden"),
        ask(&["delete", "ma", "mesh"], "forbidden"),
        ask(&["label", "node", "node-0", "a=b"], "forbidden"),
        create(role(json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}])), "forbidden"),
        // Its own role it may write, but not so that it holds more than the operator has itself.
        ask(
            &[
                "patch",
                "clusterrole",
                "meshaccel-node",
                "--type=json",
                "-p",
                r#"[{"op": "add", "path": "/rules/-", "value": {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}}]"#,
            ],
            "attempting to grant RBAC permissions not currently held",
        ),
        ask(&["delete", "clusterrole", "cluster-admin"], "forbidden"),
        ask(&["create", "token", "meshaccel-node", "-n", NAMESPACE], "forbidden"),
        ask(&["scale", "deployment/meshaccel-operator", "--replicas=0", "-n", NAMESPACE], "forbidden"),
    ]
}

/// Each with the token of a pod of the service account, as the kubelet makes them: it names the pod's node.
fn attempts(cluster: &Cluster, account: &str, tries: &[Try]) -> Result<()> {
    let pods = cluster.get_json(&["pods", "-n", NAMESPACE, "-l", &format!("app.kubernetes.io/name={account}")])?;
    let pod = pods["items"][0]["metadata"]["name"].as_str().with_context(|| format!("no pod of {account}"))?;
    let bound = ["--bound-object-kind=Pod", &format!("--bound-object-name={pod}")];
    let token = cluster.kubectl(&[&["create", "token", account, "-n", NAMESPACE], &bound[..]].concat())?;
    for attempt in tries {
        let asked = attempt.arguments.join(" ");
        let finished = cluster.try_kubectl_as(token.trim(), attempt.arguments, &attempt.input)?;
        let allowed = finished.code == Some(0);
        match attempt.refusal {
            "" => ensure!(allowed, "{account} may not {asked}: {}", finished.stderr),
            refusal => {
                ensure!(!allowed, "{account} may {asked}");
                ensure!(finished.stderr.contains(refusal), "{account}: {asked}: {}", finished.stderr);
            }
        }
    }
    Ok(())
}
