use super::*;

/// The schema of the spec.
fn spec() -> Value {
    let definition = definition();
    let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec");
    schema.unwrap().clone()
}

#[test]
fn the_definition_names_the_kind_and_has_a_status() {
    let definition = definition();
    let at = |path: &str| definition.pointer(path).cloned();
    assert_eq!(at("/metadata/name"), Some("trafficpolicies.waypoint.dev".into()));
    assert_eq!(at("/spec/versions/0/name"), Some("v1alpha1".into()));
    assert!(at("/spec/versions/0/subresources/status").is_some());
}

#[test]
fn the_schema_says_what_values_may_be() {
    let spec = spec();
    let at = |path: &str| spec.pointer(path).cloned().unwrap_or_default();
    assert_eq!(at("/required"), serde_json::json!(["targetRefs"]));
    let request = at("/properties/timeouts/properties/request/pattern");
    assert_eq!(request, "^([0-9]{1,5}(h|m|s|ms)){1,4}$");
    let words = at("/properties/retry/properties/retryOn/items/enum");
    assert!(words.as_array().unwrap().contains(&"5xx".into()), "{words}");
    assert_eq!(at("/properties/fault/properties/abort/properties/percentage/maximum"), 100.0);
}
