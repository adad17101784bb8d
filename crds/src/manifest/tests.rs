use std::fs;
use std::path::Path;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Value};

use super::Manifest;
use crate::{MeshAcceleration, NodeAcceleration, names};

fn schema() -> Value {
    schema_of(&MeshAcceleration::crd())
}

fn schema_of(crd: &CustomResourceDefinition) -> Value {
    let schema = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
    serde_json::to_value(schema).unwrap()
}

/// Calls `visit` with every schema below this one and its path.
fn walk(path: &str, schema: &Value, visit: &mut dyn FnMut(&str, &Map<String, Value>)) {
    let schema = schema.as_object().unwrap_or_else(|| panic!("{path}: not an object: {schema}"));
    visit(path, schema);
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        walk(&format!("{path}.{name}"), property, visit);
    }
    for name in ["items", "additionalProperties"] {
        if let Some(child) = schema.get(name) {
            walk(&format!("{path}.{name}"), child, visit);
        }
    }
}

fn walk_both(visit: &mut dyn FnMut(&str, &Map<String, Value>)) {
    walk("", &schema(), visit);
    walk("", &schema_of(&NodeAcceleration::crd()), visit);
}

#[test]
fn the_committed_yaml_is_what_the_types_say() {
    for Manifest { file, yaml } in super::all().unwrap() {
        let committed = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml").join(&file));
        assert!(committed.unwrap_or_default() == yaml, "crds/yaml/{file} is stale: run `make crds`");
    }
}

#[test]
fn the_yaml_reads_back_as_the_same_definition() {
    for (manifest, crd) in super::all().unwrap().iter().zip([MeshAcceleration::crd(), NodeAcceleration::crd()]) {
        let read: Value = serde_saphyr::from_str(&manifest.yaml).unwrap();
        // Through the type: a float such as 1.0 in the YAML and the integer 1 are one number to it.
        let read: CustomResourceDefinition = serde_json::from_value(read).unwrap();
        assert_eq!(read, crd);
    }
}

/// The rules of "structural schemas": a schema that breaks one is refused when the CRD is applied.
#[test]
fn the_schema_is_structural() {
    walk_both(&mut |path, schema| {
        assert!(schema.get("type").is_some_and(Value::is_string), "{path}: no type: {schema:?}");
        for word in
            ["$ref", "anyOf", "oneOf", "allOf", "not", "definitions", "$defs", "patternProperties", "uniqueItems"]
        {
            assert!(!schema.contains_key(word), "{path}: {word} is not allowed");
        }
        let both = schema.contains_key("properties") && schema.contains_key("additionalProperties");
        assert!(!both, "{path}: properties and additionalProperties exclude each other");
        // The API server warns of formats that it does not know, such as schemars' uint16.
        let format = schema.get("format").and_then(Value::as_str);
        assert!(matches!(format, None | Some("int32" | "int64" | "date-time")), "{path}: format {format:?}");
    });
}

#[test]
fn every_field_is_explained() {
    walk_both(&mut |path, schema| {
        let is_field = !path.ends_with(".items") && !path.ends_with(".additionalProperties");
        assert!(!is_field || schema.contains_key("description"), "{path}: no description");
    });
}

#[test]
fn nothing_in_the_spec_may_be_null() {
    let schema = schema();
    walk(".spec", &schema["properties"]["spec"], &mut |path, schema| {
        assert_ne!(schema.get("nullable"), Some(&Value::Bool(true)), "{path} is nullable");
    });
}

/// The API server prices CEL rules by the bounds of what they read, and refuses a CRD with a rule of unbounded cost.
#[test]
fn lists_and_texts_that_rules_read_are_bounded() {
    let mut rules = 0;
    walk("", &schema(), &mut |path, schema| {
        if schema.contains_key("x-kubernetes-validations") && path != ".spec" {
            rules += 1;
            for (name, property) in schema["properties"].as_object().unwrap() {
                let bounded = match property["type"].as_str() {
                    Some("array") => property.get("maxItems").is_some(),
                    Some("string") => property.get("maxLength").is_some() || property.get("enum").is_some(),
                    _ => true,
                };
                assert!(bounded, "{path}.{name} has no bound");
            }
        }
    });
    assert_eq!(rules, 3, "the mesh, and the requirements of both selectors");
}

#[test]
fn rules_blame_fields_that_exist() {
    walk("", &schema(), &mut |path, schema| {
        for rule in schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten() {
            if let Some(field) = rule.get("fieldPath") {
                let field = field.as_str().unwrap().trim_start_matches('.').replace('.', "/properties/");
                let found = schema["properties"].pointer(&format!("/{field}"));
                assert!(found.is_some(), "{path}: no field {field}");
            }
        }
    });
}

#[test]
fn names_are_those_of_the_contract() {
    let crd = MeshAcceleration::crd();
    assert_eq!(crd.metadata.name.as_deref(), Some("meshaccelerations.meshaccel.dev"));
    assert_eq!(crd.spec.group, names::GROUP);
    assert_eq!(crd.spec.names.kind, names::KIND);
    assert_eq!(crd.spec.names.short_names.as_deref(), Some(&["ma".to_owned()][..]));
    assert_eq!(crd.spec.scope, "Cluster");
    assert_eq!(crd.spec.versions[0].name, names::VERSION);
    assert_eq!(names::API_VERSION, format!("{}/{}", names::GROUP, names::VERSION));
    assert!(crd.spec.versions[0].subresources.as_ref().unwrap().status.is_some());
}
