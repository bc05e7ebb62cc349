//! Whose requests a route is for.

use super::*;

fn of_clients(namespace: &str, rules: Vec<HttpRule>) -> HttpRoute {
    let parent = ServiceParent::new(service(), None);
    HttpRoute {
        name: ObjectName::new(namespace, "r"),
        parents: vec![ServiceParent { clients: Some(namespace.to_owned()), ..parent }],
        ..route("r", rules)
    }
}

fn to(table: &Table, namespace: Option<&str>, path: &str) -> Option<String> {
    match table.rules(namespace)?.choose(&url(path), &mut |_| 0) {
        Choice::Forward { service, .. } => Some(service.name.clone()),
        Choice::NoMatch => Some("404".to_owned()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_consumers_route_is_for_clients_of_its_namespace_and_replaces_the_producers() {
    let producer = route("r", vec![rule(vec![], "all")]);
    let consumer = of_clients("shop", vec![rule(vec![prefix("/a")], "shop")]);
    let table = table([producer, consumer]);
    assert_eq!(to(&table, Some("shop"), "/a").as_deref(), Some("shop"));
    assert_eq!(to(&table, Some("shop"), "/b").as_deref(), Some("404"));
    assert_eq!(to(&table, Some("other"), "/a").as_deref(), Some("all"));
    assert_eq!(to(&table, None, "/a").as_deref(), Some("all"));
}

#[test]
fn without_a_producers_route_other_clients_go_to_the_service_itself() {
    let table = table([of_clients("shop", vec![rule(vec![], "shop")])]);
    assert_eq!(to(&table, Some("shop"), "/").as_deref(), Some("shop"));
    assert_eq!(to(&table, Some("other"), "/"), None);
}

#[test]
fn routes_of_grpc_overrule_those_of_http_for_the_same_clients_only() {
    let producer =
        HttpRoute { kind: RouteKind::Grpc, ..route("calls", vec![rule(vec![], "grpc")]) };
    let table = table([producer, of_clients("shop", vec![rule(vec![], "http")])]);
    assert_eq!(to(&table, Some("shop"), "/").as_deref(), Some("http"));
    assert_eq!(to(&table, None, "/").as_deref(), Some("grpc"));
}
