use std::collections::BTreeMap;

use super::*;
use crate::mesh::{
    binding::{Binding, Canary},
    object::Version,
    route::{HttpRoute, RouteKind, ServiceParent},
    service::Service,
    snapshot::Contents,
};

fn name(name: &str) -> ObjectName {
    ObjectName::new("shop", name)
}

fn service(of: &str, waypoint: &str, second: Option<&str>) -> Service {
    let second = second.map(|second| Canary { waypoint: name(second), weight: 10 });
    let binding = Binding::Bound(name(waypoint));
    Service { binding, canary: second, ..Service::new(name(of)) }
}

fn route(of: &str, parents: &[&str]) -> HttpRoute {
    let parent = |service: &&str| ServiceParent::new(name(service), None);
    HttpRoute {
        kind: RouteKind::Http,
        name: name(of),
        version: Version { uid: format!("{of}-uid"), generation: 3 },
        created: None,
        parents: parents.iter().map(parent).collect(),
        hostnames: Vec::new(),
        rules: Vec::new(),
    }
}

#[test]
fn a_waypoint_tells_the_routes_of_what_it_serves_and_no_others() {
    let services = [service("a", "w", None), service("b", "v", Some("w")), service("c", "v", None)];
    let routes = [route("one", &["a"]), route("two", &["c", "b"]), route("not", &["c"])];
    let snapshot = Snapshot::new(Contents {
        services: services.into_iter().map(|one| (one.name.clone(), Arc::new(one))).collect(),
        routes: routes.into_iter().map(|one| (one.name.clone(), Arc::new(one))).collect(),
        ..Contents::default()
    });
    let told = super::routes(&snapshot, &name("w"));
    let told: BTreeMap<&str, &Value> = told["HTTPRoute"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), one))
        .collect();
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), ["one", "two"]);
    let expected = json!({ "namespace": "shop", "name": "one", "uid": "one-uid", "generation": 3 });
    assert_eq!(*told["one"], expected);
}

#[test]
fn routes_of_either_kind_are_told_apart_though_their_names_are_the_same() {
    let services = [service("a", "w", None)].map(|one| (one.name.clone(), Arc::new(one)));
    let grpc = HttpRoute { kind: RouteKind::Grpc, ..route("one", &["a"]) };
    let snapshot = Snapshot::new(Contents {
        services: services.into(),
        grpc_routes: [(grpc.name.clone(), Arc::new(grpc))].into(),
        ..Contents::default()
    });
    let told = routes(&snapshot, &name("w"));
    assert_eq!(told["HTTPRoute"], json!([]));
    let expected = json!({ "namespace": "shop", "name": "one", "uid": "one-uid", "generation": 3 });
    assert_eq!(told["GRPCRoute"], json!([expected]));
}
