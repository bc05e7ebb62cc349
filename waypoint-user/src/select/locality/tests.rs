use std::sync::Arc;

use super::*;
use crate::mesh::{node::Node, snapshot::Contents};

/// Nodes `a1` and `a2` of zone `a`, `b1` of zone `b` in the same region, `f1` of another region
/// whose zone has the same name as the first, and `bare`, of which nothing is known.
fn snapshot() -> Snapshot {
    let mut contents = Contents::default();
    for (name, region, zone) in [
        ("a1", "eu", "a"),
        ("a2", "eu", "a"),
        ("b1", "eu", "b"),
        ("f1", "us", "a"),
        ("bare", "", ""),
    ] {
        let node = Node {
            name: ObjectName::cluster(name),
            addresses: Vec::new(),
            region: region.to_owned(),
            zone: zone.to_owned(),
        };
        contents.nodes.insert(node.name.clone(), Arc::new(node));
    }
    Snapshot::new(contents)
}

/// The nodes of the endpoints that are left of these, seen from a node.
fn left(rule: Distribution, home: &str, nodes: &str) -> String {
    let snapshot = snapshot();
    let endpoints: Vec<&str> = nodes.split(' ').collect();
    let home = Place::on_node(&snapshot, home);
    let near = |node: &&str| home.nearness_of(Place::on_node(&snapshot, node), rule);
    nearest(endpoints, near).join(" ")
}

#[test]
fn endpoints_are_left_by_rule_and_place() {
    use Distribution::{Any, OnlyNode, PreferNode, PreferZone, Unset};
    for (rule, home, nodes, expected) in [
        (Unset, "a1", "a1 b1 f1", "a1 b1 f1"),
        (Any, "a1", "a1 b1 f1", "a1 b1 f1"),
        (PreferZone, "a1", "f1 b1 a2 a1", "a2 a1"),
        (PreferZone, "a1", "f1 b1", "b1"),
        (PreferZone, "a1", "f1", "f1"),
        (PreferZone, "f1", "a1 b1", "a1 b1"),
        (PreferNode, "a1", "a2 a1 b1", "a1"),
        (PreferNode, "a1", "f1 b1 a2", "a2"),
        (PreferNode, "a1", "f1 b1", "b1"),
        (OnlyNode, "a1", "a2 a1 b1", "a1"),
        (OnlyNode, "a1", "a2 b1", ""),
        // Of a node that no manifest makes, only its name is known.
        (PreferNode, "gone", "a1 gone bare", "gone"),
        (PreferZone, "gone", "a1 bare", "bare"),
        (OnlyNode, "gone", "a1 gone", "gone"),
        // Where it is not known who asks, nothing is left out.
        (PreferNode, "", "a1 b1", "a1 b1"),
        (OnlyNode, "", "a1 b1", "a1 b1"),
    ] {
        let left = left(rule, home, nodes);
        assert_eq!(left, expected, "{rule:?} from {home} of {nodes}");
    }
}

#[test]
fn an_endpoint_of_an_unknown_place_is_the_last_but_not_left_out() {
    let snapshot = snapshot();
    let home = Place::on_node(&snapshot, "a1");
    for rule in [Distribution::PreferZone, Distribution::PreferNode] {
        let near =
            |known: &bool| home.nearness_of(if *known { home } else { Place::default() }, rule);
        assert_eq!(nearest(vec![false, true], near), [true]);
        assert_eq!(nearest(vec![false], near), [false]);
    }
}
