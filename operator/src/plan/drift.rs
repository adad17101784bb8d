//! Whether an object in the cluster is as it should be. Pure.
//!
//! The API server adds defaults, and others may add what is theirs (annotations, labels), so the question is whether all
//! that is wanted is there; not whether nothing else is. Optional parts that the operator itself may have set and now
//! does not want must be looked at apart: for the DaemonSet that is the affinity.

use serde_json::Value;

/// Whether something that is wanted is missing or different.
pub fn differs(wanted: &Value, live: &Value) -> bool {
    !holds(wanted, live) || has_affinity(wanted) != has_affinity(live)
}

fn holds(wanted: &Value, live: &Value) -> bool {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => wanted.iter().all(|(key, value)| {
            // The API server drops what is empty.
            let empty = value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
            live.get(key).map_or(empty, |live| holds(value, live))
        }),
        (Value::Array(wanted), Value::Array(live)) => {
            wanted.len() == live.len() && wanted.iter().zip(live).all(|(wanted, live)| holds(wanted, live))
        }
        _ => wanted == live,
    }
}

fn has_affinity(object: &Value) -> bool {
    object.pointer("/spec/template/spec/affinity").is_some_and(|affinity| !affinity.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_others_add_is_no_drift() {
        let wanted =
            json!({"metadata": {"name": "a", "labels": {"x": "1"}}, "spec": {"list": [{"n": 1}], "empty": {}}});
        let live = json!({
            "metadata": {"name": "a", "uid": "u", "labels": {"x": "1", "y": "2"}},
            "spec": {"list": [{"n": 1, "added": true}], "mode": "default"},
        });
        assert!(!differs(&wanted, &live));
    }

    #[test]
    fn what_is_missing_or_different_is_drift() {
        let wanted = json!({"spec": {"list": [{"n": 1}], "s": "a"}});
        for live in [
            json!({"spec": {"list": [{"n": 2}], "s": "a"}}),
            json!({"spec": {"list": [{"n": 1}, {"n": 2}], "s": "a"}}),
            json!({"spec": {"list": [{"n": 1}]}}),
            json!({"spec": {"list": [{"n": 1}], "s": "b"}}),
            json!({}),
        ] {
            assert!(differs(&wanted, &live), "{live}");
        }
    }

    #[test]
    fn an_affinity_that_is_not_wanted_any_more_is_drift() {
        let pod = |spec: Value| json!({"spec": {"template": {"spec": spec}}});
        assert!(differs(&pod(json!({})), &pod(json!({"affinity": {"nodeAffinity": {}}}))));
        assert!(!differs(&pod(json!({})), &pod(json!({"dnsPolicy": "ClusterFirst"}))));
    }
}
