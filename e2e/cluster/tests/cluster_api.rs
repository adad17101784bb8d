//! The objects on a real API server: what it explains, what it accepts, what it refuses and with which words, and what it
//! prints. One control plane for all of it; every part has objects of its own.

use anyhow::{Context, Result, ensure};
use meshaccel_crds::validate::table::{self, Misfit, Refusal};
use meshaccel_crds::{MeshAcceleration, validate};
use meshaccel_e2e_cluster::{Cluster, Extent, PATIENCE, kubectl, repository};
use meshaccel_e2e_harness::{failure, wait};
use serde_json::{Value, json};

#[test]
fn the_api_server_knows_the_objects() {
    failure::check(|| {
        Cluster::run(Extent::ControlPlane, &[], |cluster| {
            definitions_are_established(cluster)?;
            every_field_is_explained(cluster)?;
            what_is_accepted_has_its_defaults(cluster)?;
            what_is_refused_is_refused_with_the_same_words(cluster)?;
            what_does_not_fit_is_refused(cluster)?;
            nulls_are_dropped(cluster)?;
            two_appliers_share_an_object(cluster)?;
            status_is_written_apart(cluster)?;
            columns_read_well(cluster)
        })
    });
}

#[test]
fn two_clusters_do_not_meet() {
    failure::check(|| {
        Cluster::run(Extent::ControlPlane, &[], |one| {
            Cluster::run(Extent::ControlPlane, &[], |other| {
                one.kubectl(&["create", "namespace", "mine"])?;
                ensure!(other.kubectl(&["get", "namespace", "mine"]).is_err(), "seen by the other one");
                Ok(())
            })?;
            // Nor does the end of the other one touch it.
            one.kubectl(&["get", "namespace", "mine"]).map(drop)
        })
    });
}

fn definitions_are_established(cluster: &Cluster) -> Result<()> {
    cluster.kubectl(&["apply", "-f", &repository().join("crds/yaml").to_string_lossy()])?;
    for name in ["meshaccelerations.meshaccel.dev", "nodeaccelerations.meshaccel.dev"] {
        cluster.kubectl(&["wait", "--for=condition=Established", &format!("crd/{name}"), "--timeout=30s"])?;
        let definition = cluster.get_json(&["crd", name])?;
        // The API server's own word on whether the schema is structural, beyond what the unit tests know.
        let bad = kubectl::condition(&definition, "NonStructuralSchema");
        ensure!(bad.is_none(), "{name}: {bad:?}");
    }
    // Established is said a moment before the objects are served.
    wait::wait_for(PATIENCE, "the objects to be served", || cluster.kubectl(&["get", "ma,na"]))?;
    Ok(())
}

/// `kubectl explain` of every object and field that holds others: each of its fields with a text.
fn every_field_is_explained(cluster: &Cluster) -> Result<()> {
    let mut explained = 0;
    for (short, name) in [("ma", "meshaccelerations.meshaccel.dev"), ("na", "nodeaccelerations.meshaccel.dev")] {
        let definition = cluster.get_json(&["crd", name])?;
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        for part in ["spec", "status"] {
            explained += explain(cluster, &format!("{short}.{part}"), &schema["properties"][part])?;
        }
    }
    ensure!(explained > 50, "only {explained} fields");
    Ok(())
}

/// Compares what kubectl says of the fields of `path` with the schema; how many there are, with those below.
fn explain(cluster: &Cluster, path: &str, schema: &Value) -> Result<usize> {
    let object = if schema["items"].is_null() { schema } else { &schema["items"] };
    let Some(fields) = object["properties"].as_object() else { return Ok(0) };
    // The schema may be served a moment later than the objects.
    let text = wait::wait_for(PATIENCE, path, || cluster.kubectl(&["explain", path]))?;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut count = fields.len();
    for (name, field) in fields {
        let description = field["description"].as_str().with_context(|| format!("{path}.{name} has no description"))?;
        let description = description.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(text.contains(&description), "kubectl explain {path} does not explain {name}: {text}");
        count += explain(cluster, &format!("{path}.{name}"), field)?;
    }
    Ok(count)
}

/// What is stored is what user space takes the same text for, defaults and all.
fn what_is_accepted_has_its_defaults(cluster: &Cluster) -> Result<()> {
    let specs = table::accepted();
    let objects: Vec<Value> =
        specs.iter().enumerate().map(|(number, spec)| table::object(&format!("accepted-{number}"), spec)).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    cluster.kubectl_with(&["create", "-f", "-"], &list)?;
    for (number, spec) in specs.iter().enumerate() {
        let stored = cluster.get_json(&["ma", &format!("accepted-{number}")])?;
        let read: MeshAcceleration = serde_json::from_value(table::object("x", spec))?;
        ensure!(validate(&read).is_empty(), "user space refuses {spec}");
        let known: MeshAcceleration = serde_json::from_value(stored.clone())?;
        ensure!(known.spec == read.spec, "{spec} is stored as {}", stored["spec"]);
        for path in ["mode", "mesh/provider", "redirect/enabled", "redirect/limits/maxBytesInFlight"] {
            // Written out by the API server, so that people see it and columns can print it.
            let value = stored["spec"].pointer(&format!("/{path}"));
            ensure!(value.is_some(), "{path} has no default in {}", stored["spec"]);
        }
    }
    Ok(())
}

fn create(cluster: &Cluster, spec: &Value) -> Result<String> {
    let object = table::object("refused", spec).to_string();
    let finished = cluster.try_kubectl(&["create", "-f", "-"], &object)?;
    ensure!(finished.code != Some(0), "the API server takes {spec}");
    Ok(finished.stderr)
}

fn what_is_refused_is_refused_with_the_same_words(cluster: &Cluster) -> Result<()> {
    let mut wrong = Vec::new();
    for Refusal { spec, field, says, server_says } in table::refused() {
        let read: MeshAcceleration = serde_json::from_value(table::object("x", &spec))?;
        let violations = validate(&read);
        if !matches!(violations.as_slice(), [one] if one.field == field && one.message == says) {
            wrong.push(format!("user space says {violations:?} of {spec}"));
        }
        let sentence = create(cluster, &spec)?;
        if !sentence.contains(&field) || !sentence.contains(&server_says) {
            wrong.push(format!("of {spec} the API server says\n{sentence}instead of\n{field}: {server_says}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn what_does_not_fit_is_refused(cluster: &Cluster) -> Result<()> {
    let mut wrong = Vec::new();
    for Misfit { spec, server_says } in table::misfits() {
        let sentence = create(cluster, &spec)?;
        if !sentence.contains(server_says) {
            wrong.push(format!("of {spec} the API server says\n{sentence}instead of\n{server_says}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// A field that is null is stored as one that is absent, or has its default.
fn nulls_are_dropped(cluster: &Cluster) -> Result<()> {
    for (spec, path) in table::nulls() {
        let object = table::object("null", &spec).to_string();
        let stored = cluster.kubectl_with(&["create", "--dry-run=server", "-o", "json", "-f", "-"], &object)?;
        let stored: Value = serde_json::from_str(&stored)?;
        ensure!(stored["spec"].pointer(&format!("/{path}")) != Some(&Value::Null), "{spec} is stored as {stored}");
    }
    Ok(())
}

/// Server-side apply: fields and list entries of two managers come together, and a quarrel is refused.
fn two_appliers_share_an_object(cluster: &Cluster) -> Result<()> {
    let apply = |manager: &str, spec: Value| {
        let manager = format!("--field-manager={manager}");
        let object = table::object("shared", &spec).to_string();
        cluster.try_kubectl(&["apply", "--server-side", &manager, "-f", "-"], &object)
    };
    let people =
        json!({"podSelector": {"matchLabels": {"app": "a"}}, "mesh": {"provider": "Custom", "sidecarPorts": [1, 2]}});
    ensure!(apply("people", people)?.code == Some(0));
    let tool = json!({"podSelector": {"matchLabels": {"tier": "b"}}, "mesh": {"sidecarPorts": [2, 3]}, "nodeSelector": {"n": "1"}});
    let finished = apply("tool", tool)?;
    ensure!(finished.code == Some(0), "{}", finished.stderr);
    let spec = &cluster.get_json(&["ma", "shared"])?["spec"];
    ensure!(spec["podSelector"]["matchLabels"] == json!({"app": "a", "tier": "b"}), "{spec}");
    ensure!(spec["mesh"]["sidecarPorts"] == json!([1, 2, 3]), "a set of two managers: {spec}");
    ensure!(spec["mesh"]["provider"] == "Custom", "{spec}");
    let quarrel = apply("tool", json!({"podSelector": {}, "mesh": {"provider": "Istio"}}))?;
    ensure!(
        quarrel.code != Some(0) && quarrel.stderr.contains(r#"conflict with "people": .spec.mesh.provider"#),
        "{}",
        quarrel.stderr
    );
    // What a manager does not name any more is its no longer: only the others' remains.
    ensure!(apply("tool", json!({"podSelector": {}}))?.code == Some(0));
    let spec = &cluster.get_json(&["ma", "shared"])?["spec"];
    ensure!(spec["mesh"]["sidecarPorts"] == json!([1, 2]) && spec["nodeSelector"].is_null(), "{spec}");
    ensure!(spec["podSelector"]["matchLabels"] == json!({"app": "a"}), "{spec}");
    Ok(())
}

fn apply_status(cluster: &Cluster, manager: &str, object: &Value) -> Result<()> {
    let manager = format!("--field-manager={manager}");
    let arguments = ["apply", "--server-side", "--subresource=status", &manager, "-f", "-"];
    cluster.kubectl_with(&arguments, &object.to_string()).map(drop)
}

fn condition(name: &str, status: &str, reason: &str) -> Value {
    json!({"type": name, "status": status, "reason": reason, "message": format!("{reason}, in words"),
        "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1})
}

/// Writing the status leaves the spec and the generation alone, and the other way round; conditions merge by type.
fn status_is_written_apart(cluster: &Cluster) -> Result<()> {
    let spec = json!({"podSelector": {}});
    cluster.apply(&table::object("status", &spec).to_string())?;
    let with_status = |status: Value| {
        let mut object = table::object("status", &json!({}));
        object["status"] = status;
        object
    };
    // The spec is ignored here, or this would be refused: it has no selector.
    let mut first = with_status(json!({"conditions": [condition("Accepted", "True", "Valid")], "pods": 3}));
    first.as_object_mut().context("an object")?.remove("spec");
    apply_status(cluster, "one", &first)?;
    let mut second =
        with_status(json!({"conditions": [condition("Programmed", "False", "Waiting")], "connections": 7}));
    second.as_object_mut().context("an object")?.remove("spec");
    apply_status(cluster, "two", &second)?;
    let object = cluster.get_json(&["ma", "status"])?;
    ensure!(object["metadata"]["generation"] == 1, "{object}");
    for name in ["Accepted", "Programmed"] {
        ensure!(kubectl::condition(&object, name).is_some(), "{name} is gone: {}", object["status"]);
    }
    // And a spec is written without the status, whatever the manifest says of it.
    let mut object = table::object("status", &json!({"podSelector": {}, "mode": "Observe"}));
    object["status"] = json!({"pods": 99});
    cluster.apply(&object.to_string())?;
    let object = cluster.get_json(&["ma", "status"])?;
    ensure!(object["metadata"]["generation"] == 2 && object["status"]["pods"] == 3, "{object}");
    Ok(())
}

/// The words of one line of a table.
fn words(line: Option<&str>) -> Vec<&str> {
    line.unwrap_or_default().split_whitespace().collect()
}

fn columns_read_well(cluster: &Cluster) -> Result<()> {
    let print = |arguments: &[&str]| cluster.kubectl(&[&["get"], arguments].concat());
    let table = print(&["ma", "status"])?;
    let mut lines = table.lines();
    ensure!(words(lines.next()) == ["NAME", "MODE", "PROVIDER", "ACCEPTED", "PROGRAMMED", "PODS", "AGE"], "{table}");
    ensure!(words(lines.next())[..6] == ["status", "Observe", "Auto", "True", "False", "3"], "{table}");
    let table = print(&["ma", "status", "-o", "wide"])?;
    let mut lines = table.lines();
    let wide = ["SCOPE", "PROMOTION", "NODES", "CONNECTIONS", "BYTES", "MESSAGE", "AGE"];
    ensure!(words(lines.next())[6..] == wide, "{table}");
    ensure!(words(lines.next())[6..8] == ["PodLocal", "Auto"], "{table}");

    let node = json!({
        "apiVersion": meshaccel_crds::names::API_VERSION, "kind": meshaccel_crds::names::NODE_KIND,
        "metadata": {"name": "node-1"}, "spec": {},
    });
    cluster.apply(&node.to_string())?;
    let status = |share: &str, extra: Value| {
        let mut object = node.clone();
        let mut status = json!({"accelerations": [{"name": share, "uid": share, "phase": "Programmed"}]});
        if let (Value::Object(status), Value::Object(extra)) = (&mut status, extra) {
            status.extend(extra);
        }
        object["status"] = status;
        object
    };
    let facts = json!({"conditions": [condition("Ready", "True", "Active")], "pods": 4, "connections": 8,
        "kernel": "6.18.0", "version": "0.1.0", "reportedAt": "2026-01-01T00:00:00Z"});
    apply_status(cluster, "daemon", &status("a", facts))?;
    apply_status(cluster, "other", &status("b", json!({})))?;
    let stored = cluster.get_json(&["na", "node-1"])?;
    let shares = stored["status"]["accelerations"].as_array().map_or(0, Vec::len);
    ensure!(shares == 2, "shares merge by name: {stored}");
    let table = print(&["na", "-o", "wide"])?;
    let mut lines = table.lines();
    let header = ["NAME", "READY", "REASON", "PODS", "CONNECTIONS", "REPORTED", "VERSION", "KERNEL", "MESSAGE"];
    ensure!(words(lines.next()) == header, "{table}");
    let line = words(lines.next());
    ensure!(line[..5] == ["node-1", "True", "Active", "4", "8"], "{table}");
    ensure!(line[6..] == ["0.1.0", "6.18.0", "Active,", "in", "words"], "{table}");
    let table = print(&["meshaccel"])?;
    ensure!(table.contains("nodeacceleration.meshaccel.dev/node-1"), "the category lists both kinds: {table}");
    Ok(())
}
