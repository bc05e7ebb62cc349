use serde_json::json;

use super::*;
use crate::sync::cluster::kinds::KINDS;

fn kind(name: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.name == name).unwrap()
}

#[test]
fn an_item_of_a_list_becomes_a_whole_document() {
    let raw = Raw(json!({"metadata": {"name": "a", "namespace": "n", "resourceVersion": "41"}}));
    assert_eq!(raw.resource_version(), Some("41"));
    let document = raw.into_document(kind("HTTPRoute"), "gateway.networking.k8s.io/v1").unwrap();
    assert_eq!(document.name, ObjectName::new("n", "a"));
    assert_eq!(document.version, 41);
    assert_eq!(document.value["kind"], "HTTPRoute");
    assert_eq!(document.value["apiVersion"], "gateway.networking.k8s.io/v1");
}

#[test]
fn an_object_without_a_name_is_none() {
    for value in [json!({}), json!({"metadata": {"name": ""}}), json!(1)] {
        assert!(Raw(value).into_document(kind("Pod"), "v1").is_none());
    }
}

#[test]
fn versions_that_do_not_change_what_is_said_do_not_change_a_pod() {
    let at = |version: &str| {
        let raw = Raw(json!({"metadata": {"name": "a", "resourceVersion": version}}));
        raw.into_document(kind("Pod"), "v1").unwrap().value
    };
    assert_eq!(at("1"), at("2"));
}
