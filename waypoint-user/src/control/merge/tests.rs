use proptest::prelude::*;
use serde_json::json;

use super::*;

fn pod() -> Value {
    json!({
        "metadata": { "labels": { "a": "1", "b": "2" }, "finalizers": ["x"] },
        "spec": {
            "replicas": 1,
            "tolerations": [{ "key": "a" }],
            "volumes": [{ "name": "one", "emptyDir": {} }, { "name": "two", "emptyDir": {} }],
            "containers": [{
                "name": "proxy",
                "image": "old",
                "args": ["a", "b"],
                "env": [{ "name": "A", "value": "1" }],
                "ports": [{ "containerPort": 1, "name": "one" }]
            }]
        }
    })
}

#[test]
fn maps_are_merged_and_null_takes_away() {
    let patch =
        json!({ "metadata": { "labels": { "a": null, "c": "3" } }, "spec": { "replicas": 2 } });
    let merged = merge(&pod(), &patch).unwrap();
    assert_eq!(merged["metadata"]["labels"], json!({ "b": "2", "c": "3" }));
    assert_eq!(merged["spec"]["replicas"], json!(2));
    assert_eq!(merged["spec"]["containers"], pod()["spec"]["containers"]);
}

#[test]
fn lists_of_named_things_are_merged_by_name() {
    let patch = json!({ "spec": { "containers": [
        { "name": "sidecar", "image": "new" },
        {
            "name": "proxy",
            "image": "mine",
            "env": [{ "name": "B", "value": "2" }, { "name": "A", "value": "3" }],
            "ports": [{ "containerPort": 1, "hostPort": 5 }]
        }
    ] } });
    let merged = merge(&pod(), &patch).unwrap();
    assert_eq!(
        merged["spec"]["containers"],
        json!([
            {
                "name": "proxy", "image": "mine", "args": ["a", "b"],
                "env": [{ "name": "A", "value": "3" }, { "name": "B", "value": "2" }],
                "ports": [{ "containerPort": 1, "name": "one", "hostPort": 5 }]
            },
            { "name": "sidecar", "image": "new" }
        ])
    );
}

#[test]
fn ports_of_a_service_are_merged_by_their_number() {
    let service = json!({ "spec": { "ports": [{ "port": 15008, "name": "mesh" }] } });
    let patch =
        json!({ "spec": { "ports": [{ "port": 15008, "nodePort": 30000 }, { "port": 1 }] } });
    assert_eq!(
        merge(&service, &patch).unwrap()["spec"]["ports"],
        json!([{ "port": 15008, "name": "mesh", "nodePort": 30000 }, { "port": 1 }])
    );
}

#[test]
fn other_lists_are_replaced() {
    let patch = json!({ "spec": {
        "tolerations": [{ "key": "b" }],
        "containers": [{ "name": "proxy", "args": ["c"] }]
    } });
    let merged = merge(&pod(), &patch).unwrap();
    assert_eq!(merged["spec"]["tolerations"], json!([{ "key": "b" }]));
    assert_eq!(merged["spec"]["containers"][0]["args"], json!(["c"]));
}

#[test]
fn directives_are_followed() {
    let patch = json!({
        "metadata": { "finalizers": ["y"], "$deleteFromPrimitiveList/finalizers": ["x"] },
        "spec": {
            "volumes": [
                { "name": "one", "$patch": "delete" },
                { "name": "no", "$patch": "delete" },
            ],
            "containers": [
                { "name": "proxy", "env": [{ "$patch": "replace" }, { "name": "B" }] }
            ]
        }
    });
    let merged = merge(&pod(), &patch).unwrap();
    assert_eq!(merged["metadata"]["finalizers"], json!(["y"]));
    assert_eq!(merged["spec"]["volumes"], json!([{ "name": "two", "emptyDir": {} }]));
    assert_eq!(merged["spec"]["containers"][0]["env"], json!([{ "name": "B" }]));
    let replaced = json!({ "metadata": { "labels": { "$patch": "replace", "z": "1" } } });
    assert_eq!(merge(&pod(), &replaced).unwrap()["metadata"]["labels"], json!({ "z": "1" }));
    let strategy = json!({ "strategy": { "type": "RollingUpdate", "rollingUpdate": {} } });
    let patch = json!({ "strategy": { "$retainKeys": ["type"], "type": "Recreate" } });
    assert_eq!(merge(&strategy, &patch).unwrap(), json!({ "strategy": { "type": "Recreate" } }));
}

#[test]
fn what_is_not_understood_is_refused() {
    let refusal = |patch: Value| merge(&pod(), &patch).unwrap_err().to_string();
    assert_eq!(refusal(json!([])), "the patch is not a map");
    assert_eq!(
        refusal(json!({ "spec": { "containers": [{ "image": "x" }] } })),
        "spec.containers: an item without name"
    );
    assert_eq!(
        refusal(json!({ "spec": { "$what": 1 } })),
        "spec: directive $what is not understood"
    );
    assert_eq!(
        refusal(json!({ "spec": { "new": { "$patch": "shred" } } })),
        "spec.new: directive $patch is not understood"
    );
}

#[test]
fn nulls_and_directives_leave_nothing_behind_where_nothing_was() {
    let patch =
        json!({ "spec": { "affinity": { "a": null, "b": { "$patch": "replace", "c": 1 } } } });
    assert_eq!(
        merge(&json!({}), &patch).unwrap(),
        json!({ "spec": { "affinity": { "b": { "c": 1 } } } })
    );
}

/// Objects of a few fields, without directives or nulls.
fn objects() -> impl Strategy<Value = Value> {
    let item = ("[a-c]", 0..3_u8).prop_map(|(name, value)| json!({ "name": name, "v": value }));
    let items = prop::collection::vec(item, 0..4).prop_map(|mut items| {
        items.sort_by_key(|item| item["name"].to_string());
        items.dedup_by_key(|item| item["name"].to_string());
        items
    });
    (items, prop::collection::btree_map("[a-c]", 0..3_u8, 0..3), prop::option::of(0..3_u8))
        .prop_map(|(items, map, scalar)| {
            let mut object = json!({ "spec": { "env": items, "map": map } });
            if let Some(scalar) = scalar {
                object["spec"]["scalar"] = json!(scalar);
            }
            object
        })
}

proptest! {
    #[test]
    fn an_object_merged_onto_itself_stays_the_same(object in objects()) {
        prop_assert_eq!(merge(&object, &object).unwrap(), object);
    }

    #[test]
    fn the_empty_patch_changes_nothing(object in objects()) {
        prop_assert_eq!(merge(&object, &json!({})).unwrap(), object);
    }

    #[test]
    fn a_patch_applied_twice_is_applied_once(base in objects(), patch in objects()) {
        let once = merge(&base, &patch).unwrap();
        prop_assert_eq!(merge(&once, &patch).unwrap(), once);
    }
}
