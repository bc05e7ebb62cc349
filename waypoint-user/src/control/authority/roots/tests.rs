use k8s_openapi::api::core::v1::Namespace;

use super::*;
use crate::sync::objects::Object;

/// Namespaces with their phases.
fn namespaces(names: &[(&str, &str)]) -> Objects {
    let mut objects = Objects::default();
    for (name, phase) in names {
        let namespace = json!({ "metadata": { "name": name }, "status": { "phase": phase } });
        let namespace: Namespace = serde_json::from_value(namespace).unwrap();
        objects.insert(ObjectName::cluster(*name), Object::Namespace(Arc::new(namespace)));
    }
    objects
}

/// Where something is to be written, with these ConfigMaps there.
fn lacking(objects: &Objects, there: &[(&str, &str, &str)]) -> Vec<String> {
    let shelf = |(namespace, name, roots): &(&str, &str, &str)| {
        (ObjectName::new(*namespace, *name), Arc::new(content(roots)))
    };
    let wanted = wanted(objects, &there.iter().map(shelf).collect(), "new");
    wanted.iter().map(|one| one.target.name.to_string()).collect()
}

#[test]
fn only_namespaces_without_these_roots_are_written_to() {
    let objects =
        namespaces(&[("a", "Active"), ("b", "Active"), ("c", "Active"), ("d", "Terminating")]);
    let there = [("a", CONFIG_MAP, "new"), ("b", CONFIG_MAP, "old"), ("c", "another", "new")];
    let expected = ["b/waypoint-ca-root-cert", "c/waypoint-ca-root-cert"];
    assert_eq!(lacking(&objects, &there), expected);
}

#[test]
fn where_every_namespace_has_them_nothing_is_written() {
    let objects = namespaces(&[("a", "Active"), ("d", "Terminating")]);
    assert!(lacking(&objects, &[("a", CONFIG_MAP, "new")]).is_empty());
    assert_eq!(lacking(&objects, &[]), ["a/waypoint-ca-root-cert"]);
}
