use k8s_openapi::api::core::v1::Namespace;

use super::*;
use crate::{mesh::object::ObjectName, sync::objects::Object};

fn map(namespace: &str, name: &str, roots: &str) -> ConfigMap {
    let mut value = config_map(roots);
    value["metadata"]["namespace"] = namespace.into();
    value["metadata"]["name"] = name.into();
    serde_json::from_value(value).unwrap()
}

fn namespaces_of(names: &[(&str, &str)]) -> Objects {
    let mut objects = Objects::default();
    for (name, phase) in names {
        let namespace = json!({ "metadata": { "name": name }, "status": { "phase": phase } });
        let namespace: Namespace = serde_json::from_value(namespace).unwrap();
        objects.insert(ObjectName::cluster(*name), Object::Namespace(Arc::new(namespace)));
    }
    objects
}

#[test]
fn only_namespaces_without_these_roots_are_written_to() {
    let mut there = There::default();
    there.note(watcher::Event::Init);
    there.note(watcher::Event::InitApply(map("a", CONFIG_MAP, "new")));
    there.note(watcher::Event::InitApply(map("b", CONFIG_MAP, "old")));
    there.note(watcher::Event::InitApply(map("c", "another", "new")));
    assert!(!there.is_listed);
    there.note(watcher::Event::InitDone);
    assert!(there.is_listed);
    let objects =
        namespaces_of(&[("a", "Active"), ("b", "Active"), ("c", "Active"), ("d", "Terminating")]);
    assert_eq!(there.lacking(&namespaces(&objects), "new"), ["b", "c"]);
    there.note(watcher::Event::Apply(map("b", CONFIG_MAP, "new")));
    there.note(watcher::Event::Delete(map("a", CONFIG_MAP, "new")));
    assert_eq!(there.lacking(&namespaces(&objects), "new"), ["a", "c"]);
}

#[test]
fn a_new_listing_forgets_what_is_gone() {
    let mut there = There::default();
    for names in [&["a", "b"][..], &["b"]] {
        there.note(watcher::Event::Init);
        for name in names {
            there.note(watcher::Event::InitApply(map(name, CONFIG_MAP, "new")));
        }
        there.note(watcher::Event::InitDone);
    }
    let objects = namespaces_of(&[("a", "Active"), ("b", "Active")]);
    assert_eq!(there.lacking(&namespaces(&objects), "new"), ["a"]);
}
