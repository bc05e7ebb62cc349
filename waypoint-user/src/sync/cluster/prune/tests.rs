use serde_json::json;

use super::*;

fn pruned(keep: &Keep, mut value: Value) -> Value {
    keep.prune(&mut value);
    value
}

#[test]
fn of_a_pod_stays_what_translation_looks_at() {
    let pod = json!({
        "metadata": {
            "name": "p", "namespace": "n", "uid": "u", "resourceVersion": "7",
            "labels": {"app": "p"},
            "annotations": {
                "waypoint.dev/netns": "a", "sidecar.istio.io/status": "{}", "istio.io/x": "",
                "notistio.io/x": "", "plain": "",
            },
            "managedFields": [{}],
            "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "uid": "v"}],
        },
        "spec": {
            "nodeName": "a", "volumes": [{}],
            "containers": [{"name": "c", "image": "i", "ports": [
                {"name": "http", "containerPort": 80, "hostPort": 1},
            ]}],
        },
        "status": {
            "phase": "Running", "podIPs": [{"ip": "10.0.0.1"}], "containerStatuses": [{}],
            "conditions": [{"type": "Initialized", "status": "True"},
                           {"type": "Ready", "status": "True"}],
        },
    });
    let kept = json!({
        "metadata": {
            "name": "p", "namespace": "n", "uid": "u", "labels": {"app": "p"},
            "annotations": {
                "waypoint.dev/netns": "a", "sidecar.istio.io/status": "{}", "istio.io/x": "",
            },
            "ownerReferences": [{"kind": "ReplicaSet", "name": "r"}],
        },
        "spec": {
            "nodeName": "a",
            "containers": [{"ports": [{"name": "http", "containerPort": 80}]}],
        },
        "status": {
            "phase": "Running", "podIPs": [{"ip": "10.0.0.1"}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    });
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
