use serde_json::json;

use super::*;

#[test]
fn maps_and_lists_are_written_as_kubectl_does() {
    let value = json!({
        "kind": "Gateway",
        "labels": { "istio.io/rev": "1-24", "on": "true", "empty": {} },
        "listeners": [{ "name": "mesh", "port": 15008, "tags": ["a", "b"] }, "plain"],
        "message": "no such: thing",
        "nothing": null,
    });
    let expected = "\
kind: Gateway
labels:
  empty: {}
  istio.io/rev: \"1-24\"
  \"on\": \"true\"
listeners:
- name: mesh
  port: 15008
  tags:
  - a
  - b
- plain
message: \"no such: thing\"
nothing: null
";
    assert_eq!(show(&value), expected);
    assert_eq!(show(&json!([])), "[]\n");
    assert_eq!(show(&json!([{ "a": [{ "b": 1 }] }])), "- a:\n  - b: 1\n");
}

#[test]
fn what_is_written_is_read_again_as_it_was() {
    let texts = ["", "a b", "1", "1.5", "-", "null", "Yes", "~", "#x", "a: b", "\n", "é", "0x1"];
    for text in texts {
        let value = json!({ "text": text, "list": [text, { "key": text }] });
        let read: Value = serde_saphyr::from_str(&show(&value)).unwrap();
        assert_eq!(read, value, "{}", show(&value));
    }
}
