use serde_json::json;

use super::*;

fn pruned(keep: &Keep, mut value: Value) -> Value {
    keep.prune(&mut value);
    value
}

#[test]
fn of_a_pod_stays_what_translation_looks_at() {
    let metadata = json!({
        "name": "p", "namespace": "n", "uid": "u", "resourceVersion": "7",
        "labels": {"app": "p"}, "managedFields": [{}],
        "annotations": {
            "waypoint.dev/netns": "a", "sidecar.istio.io/status": "{}", "istio.io/x": "",
            "notistio.io/x": "", "plain": "",
        },
        "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "uid": "v"}],
    });
    let ports = json!([{"name": "http", "containerPort": 80, "hostPort": 1}]);
    let containers = json!([{"name": "c", "image": "i", "ports": ports}]);
    let spec = json!({"nodeName": "a", "volumes": [{}], "containers": containers});
    let ready = json!({"type": "Ready", "status": "True"});
    let status = json!({
        "phase": "Running", "podIPs": [{"ip": "10.0.0.1"}], "containerStatuses": [{}],
        "conditions": [{"type": "Initialized", "status": "True"}, &ready],
    });
    let pod = json!({"metadata": metadata, "spec": spec, "status": status});
    let metadata = json!({
        "name": "p", "namespace": "n", "uid": "u", "labels": {"app": "p"},
        "annotations": {
            "waypoint.dev/netns": "a", "sidecar.istio.io/status": "{}", "istio.io/x": "",
        },
        "ownerReferences": [{"kind": "ReplicaSet", "name": "r"}],
    });
    let ports = json!([{"name": "http", "containerPort": 80}]);
    let spec = json!({"nodeName": "a", "containers": [{"ports": ports}]});
    let status = json!({
        "phase": "Running", "podIPs": [{"ip": "10.0.0.1"}], "conditions": [&ready],
    });
    let kept = json!({"metadata": metadata, "spec": spec, "status": status});
    assert_eq!(pruned(&Keep::Fields(POD), pod), kept);
}

#[test]
fn of_most_kinds_only_what_others_wrote_for_themselves_goes() {
    let route = json!({
        "metadata": {
            "name": "r", "managedFields": [{}],
            "annotations": {LAST_APPLIED: "{}", "plain": "kept"},
        },
        "spec": {"rules": [{"name": "all"}]},
        "status": {"parents": []},
    });
    let kept = json!({
        "metadata": {"name": "r", "annotations": {"plain": "kept"}},
        "spec": {"rules": [{"name": "all"}]},
        "status": {"parents": []},
    });
    assert_eq!(pruned(&Keep::Most, route), kept);
}

#[test]
fn what_is_not_of_the_right_shape_is_left_to_admission() {
    for wrong in [json!(null), json!("text"), json!({"spec": "text", "status": [1]})] {
        assert_eq!(pruned(&Keep::Fields(POD), wrong.clone()), wrong);
    }
}
