use super::*;
use crate::sync::objects_in;

/// Pods of two nodes: name, node, uid, more of the metadata, phase.
fn objects(pods: &[(&str, &str, &str, &str, &str)]) -> Objects {
    let document = |(name, node, uid, metadata, phase): &(&str, &str, &str, &str, &str)| {
        format!(
            "apiVersion: v1\nkind: Pod\n\
             metadata: {{name: {name}, namespace: shop, uid: {uid}{metadata}}}\n\
             spec: {{nodeName: {node}}}\nstatus: {{phase: {phase}}}"
        )
    };
    let documents = pods.iter().map(document).collect::<Vec<_>>().join("\n---\n");
    objects_in(&[("pods.yaml", documents.as_bytes())]).0
}

fn captured(pods: &[(&str, &str)]) -> Captured {
    pods.iter().map(|(name, uid)| (ObjectName::new("shop", *name), Arc::from(*uid))).collect()
}

fn names(changes: &[Change]) -> Vec<(&str, bool)> {
    changes.iter().map(|change| (change.name.name.as_str(), change.marked)).collect()
}

const MARKED: &str = ", annotations: {ambient.istio.io/redirection: enabled}";

#[test]
fn marks_follow_what_is_captured() {
    let objects = objects(&[
        ("new", "n1", "u1", "", "Running"),
        ("marked", "n1", "u2", MARKED, "Running"),
        ("left", "n1", "u3", MARKED, "Running"),
        ("never", "n1", "u4", "", "Running"),
    ]);
    let captured = captured(&[("new", "u1"), ("marked", "u2")]);
    assert_eq!(names(&changes(&objects, &captured, "n1")), [("left", false), ("new", true)]);
}

#[test]
fn pods_of_other_nodes_and_those_that_ended_are_left_alone() {
    let objects = objects(&[
        ("far", "n2", "u1", MARKED, "Running"),
        ("done", "n1", "u2", MARKED, "Succeeded"),
        ("broken", "n1", "u3", MARKED, "Failed"),
        ("going", "n1", "u4", ", deletionTimestamp: \"2026-01-01T00:00:00Z\"", "Running"),
    ]);
    assert!(changes(&objects, &captured(&[("going", "u4")]), "n1").is_empty());
}

#[test]
fn a_pod_that_took_the_name_of_a_captured_one_is_not_marked() {
    let objects = objects(&[("web", "n1", "u2", "", "Running")]);
    assert!(changes(&objects, &captured(&[("web", "u1")]), "n1").is_empty());
}
