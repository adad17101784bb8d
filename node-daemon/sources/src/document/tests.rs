use meshaccel_model::lines::{line_of, parent};
use serde_json::json;

use super::*;

#[test]
fn every_value_knows_its_line() {
    let text = "# comment\na:\n  b: [1, 2]\n  meshaccel.dev/netns: /x\n---\n---\nlist:\n- x: true\n- y:\n";
    let documents = parse(text).unwrap();
    assert_eq!(documents.len(), 2);
    assert_eq!(documents[0].to_value(), json!({"a": {"b": [1, 2], "meshaccel.dev/netns": "/x"}}));
    assert_eq!(documents[1].to_value(), json!({"list": [{"x": true}, {"y": null}]}));
    let lines = documents[0].lines();
    assert_eq!(line_of(&lines, "a"), Some(2));
    assert_eq!(line_of(&lines, "a.b[1]"), Some(3));
    assert_eq!(line_of(&lines, "a[meshaccel.dev/netns]"), Some(4));
    let lines = documents[1].lines();
    assert_eq!(line_of(&lines, "list[1].y"), Some(9));
    assert_eq!(line_of(&lines, "list[0].missing.deep"), Some(8));
    assert_eq!(line_of(&lines, ""), Some(7));
}

#[test]
fn scalars_have_the_types_that_kubernetes_gives_them() {
    let text = r#"{a: "false", b: false, c: 127.0.0.6, d: 1.5, e: 2024-05-01T00:00:00Z, f: -3, g: "12", h: ~, i: "::6", j: on, k: n}"#;
    let documents = parse(text).unwrap();
    assert_eq!(
        documents[0].to_value(),
        json!({"a": "false", "b": false, "c": "127.0.0.6", "d": 1.5, "e": "2024-05-01T00:00:00Z", "f": -3, "g": "12",
               "h": null, "i": "::6", "j": "on", "k": "n"})
    );
}

#[test]
fn syntax_errors_name_their_line_once() {
    for (text, line) in [
        ("a: 1\nb: [1, 2\nc: 3\n", 3),
        ("a: 1\na: 2\n", 2),
        ("a: b: c\n", 1),
        ("a:\n\tb: 1\n", 2),
        ("a: 1\n---\n- &x [*y]\n", 3),
        ("a: .nan\n", 1),
        ("? \"a\\nb\"\n: 1\n", 1),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.line, Some(line), "{text:?}: {error:?}");
        assert!(!error.message.is_empty() && !error.message.contains("line "), "{text:?}: {error:?}");
    }
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let alias = format!("*a{}, ", level - 1).repeat(10);
        text.push_str(&format!("a{level}: &a{level} [{alias}]\n"));
    }
    assert!(parse(&text).is_err());
}

#[test]
fn anchors_and_merge_keys_are_read_where_they_are_used() {
    let documents = parse("base: &base\n  x: 1\nuse:\n  <<: *base\n  y: 2\n").unwrap();
    assert_eq!(documents[0].to_value(), json!({"base": {"x": 1}, "use": {"x": 1, "y": 2}}));
}

#[test]
fn parents_of_paths() {
    assert_eq!(parent("a.b[2]"), Some("a.b"));
    assert_eq!(parent("a[x.y/z]"), Some("a"));
    assert_eq!(parent("a.b"), Some("a"));
    assert_eq!(parent("a"), Some(""));
    assert_eq!(parent(""), None);
}
