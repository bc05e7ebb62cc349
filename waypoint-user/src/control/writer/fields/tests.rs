use serde_json::{Value, json};

use super::*;

/// An object as an API server keeps it, after we applied a label, a container and a port.
fn live() -> Value {
    let mut live = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "waypoint", "namespace": "shop", "uid": "7",
            "labels": { "ours": "1", "theirs": "2" },
            "finalizers": ["other", "a/b"],
        },
        "spec": { "replicas": 3, "selector": { "matchLabels": { "a": "b" } } },
        "status": { "replicas": 3, "readyReplicas": 3 },
    });
    let ports = json!([{ "containerPort": 1, "protocol": "TCP" }]);
    let proxy = json!({ "name": "proxy", "imagePullPolicy": "Always", "ports": ports });
    live["spec"]["containers"] = json!([{ "name": "sidecar" }, proxy]);
    let status = json!({ "f:status": { "f:replicas": {} } });
    live["metadata"]["managedFields"] = json!([
        { "manager": "kubectl", "operation": "Update", "fieldsV1": { "f:metadata": {} } },
        {
            "manager": FIELD_MANAGER, "operation": "Apply", "subresource": "status",
            "fieldsV1": status,
        },
        { "manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": record() },
    ]);
    live
}

/// What the API server records of our fields.
fn record() -> Value {
    let port = json!({ ".": {}, "f:containerPort": {} });
    let ports = json!({ "k:{\"containerPort\":1,\"protocol\":\"TCP\"}": port });
    let proxy = json!({ ".": {}, "f:name": {}, "f:ports": ports });
    let containers = json!({ "k:{\"name\":\"proxy\"}": proxy });
    json!({
        "f:metadata": { "f:labels": { "f:ours": {} }, "f:finalizers": { "v:\"a/b\"": {} } },
        "f:spec": { "f:selector": {}, "f:containers": containers },
    })
}

/// What we applied.
fn wanted() -> Value {
    json!({
        "metadata": { "labels": { "ours": "1" }, "annotations": {}, "finalizers": ["a/b"] },
        "spec": {
            "selector": { "matchLabels": { "a": "b" } },
            "containers": [{ "name": "proxy", "ports": [{ "containerPort": 1 }] }]
        }
    })
}

#[test]
fn what_was_applied_and_is_still_there_is_settled() {
    assert!(is_settled(&live(), &wanted(), Part::Whole));
}

#[test]
fn the_status_has_a_record_of_its_own() {
    assert!(is_settled(&live(), &json!({ "status": { "replicas": 3 } }), Part::Status));
    assert!(!is_settled(&live(), &json!({ "status": { "replicas": 2 } }), Part::Status));
}

#[test]
fn a_value_that_differs_is_not_settled() {
    let mut live = live();
    live["spec"]["containers"][1]["ports"][0]["containerPort"] = json!(2);
    assert!(!is_settled(&live, &wanted(), Part::Whole));
    let mut wanted = wanted();
    wanted["metadata"]["labels"]["ours"] = json!("2");
    assert!(!is_settled(&self::live(), &wanted, Part::Whole));
}

#[test]
fn a_field_that_is_no_longer_wanted_is_not_settled() {
    let mut wanted = wanted();
    wanted["metadata"].as_object_mut().unwrap().remove("finalizers");
    assert!(!is_settled(&live(), &wanted, Part::Whole));
}

#[test]
fn a_field_that_is_there_but_not_ours_is_not_settled() {
    let mut wanted = wanted();
    wanted["spec"]["replicas"] = json!(3);
    assert!(!is_settled(&live(), &wanted, Part::Whole));
}

#[test]
fn an_object_that_we_never_wrote_is_not_settled() {
    let mut live = live();
    live["metadata"]["managedFields"] = json!([]);
    assert!(!is_settled(&live, &wanted(), Part::Whole));
    assert!(!is_settled(&json!({}), &json!({}), Part::Whole));
}
