//! Routes with a waypoint as their parent.

use super::*;
use crate::mesh::{condition::Truth, object::ObjectRef};

/// A route with these parents; `more` are further fields of its spec.
fn route(name: &str, parents: &str, more: &str) -> String {
    let rules = "rules: [{backendRefs: [{name: s, port: 80}]}]";
    object("HTTPRoute", name, "", &format!("spec: {{parentRefs: [{parents}], {more}{rules}}}"))
}

/// What a route is attached to, as `namespace/service` or `namespace/service:port`.
fn attached(snapshot: &Snapshot, route: &str) -> Vec<String> {
    let (namespace, name) = route.split_once('/').unwrap();
    let route = snapshot.routes().get(&ObjectName::new(namespace, name));
    let parents = route.into_iter().flat_map(|route| &route.parents);
    let text = |port: Option<u16>| port.map(|port| format!(":{port}")).unwrap_or_default();
    parents.map(|parent| format!("{}{}", parent.service, text(parent.port))).collect()
}

/// Whether the route's first parent accepts it, and why.
fn accepted(report: &Report, route: &str) -> (bool, String) {
    let (namespace, name) = route.split_once('/').unwrap();
    let object = ObjectRef::new("HTTPRoute", ObjectName::new(namespace, name));
    let one = report.conditions_of(&object).iter().find(|one| one.kind == "Accepted").unwrap();
    (one.status == Truth::True, one.reason.clone())
}

/// A Service with two ports, bound to the waypoint `a/w`.
fn bound(name: &str, ip: &str) -> String {
    let labels = ", labels: {istio.io/use-waypoint: w, istio.io/use-waypoint-namespace: a}";
    let ports = "ports: [{name: http, port: 80}, {name: more, port: 81}]";
    object("Service", name, labels, &format!("spec: {{clusterIPs: [\"{ip}\"], {ports}}}"))
}

/// A waypoint with three Services, of which one is of another namespace, and one Service without.
fn waypoint() -> Vec<String> {
    vec![
        gateway("a/w", ""),
        bound("a/s", "10.0.0.1"),
        bound("a/t", "10.0.0.2"),
        bound("b/u", "10.0.0.3"),
        service("a/free", "10.0.0.4", ""),
    ]
}

fn with_routes(routes: &[&str]) -> (Snapshot, Report) {
    let all = waypoint();
    let documents: Vec<&str> =
        all.iter().map(String::as_str).chain(routes.iter().copied()).collect();
    mesh(&documents)
}

const TO_W: &str = "{name: w}";
const TO_W_OF_A: &str = "{name: w, namespace: a}";

#[test]
fn a_route_of_a_waypoint_is_for_every_service_that_is_bound_to_it() {
    let (snapshot, report) = with_routes(&[&route("a/r", TO_W, "")]);
    assert_eq!(attached(&snapshot, "a/r"), ["a/s", "a/t", "b/u"]);
    assert_eq!(accepted(&report, "a/r"), (true, "Accepted".to_owned()));
    assert_eq!(reasons(&report, "r"), [""; 0]);
}

#[test]
fn a_route_of_another_namespace_is_for_the_services_of_its_own() {
    let (snapshot, _) = with_routes(&[&route("b/r", TO_W_OF_A, "")]);
    assert_eq!(attached(&snapshot, "b/r"), ["b/u"]);
}

#[test]
fn a_service_s_own_routes_come_before_those_of_its_waypoint() {
    let own = route("a/own", "{group: '', kind: Service, name: s}", "");
    let of_port = route("a/port", "{group: '', kind: Service, name: t, port: 81}", "");
    let grpc = "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\n\
                metadata: {name: grpc, namespace: b}\n\
                spec: {parentRefs: [{group: '', kind: Service, name: u, sectionName: http}]}";
    let (snapshot, _) = with_routes(&[&route("a/r", TO_W, ""), &own, &of_port, grpc]);
    assert_eq!(attached(&snapshot, "a/r"), ["a/t:80", "b/u:81"]);
}

#[test]
fn hostnames_choose_among_the_services_of_a_waypoint() {
    for (hostnames, expected) in [
        ("s", "a/s"),
        ("s.a", "a/s"),
        ("t.a.svc", "a/t"),
        ("u.b.svc.cluster.local", "b/u"),
        ("'*.a.svc.cluster.local'", "a/s a/t"),
        ("u", ""),
        ("free", ""),
        ("s, u.b", "a/s b/u"),
    ] {
        let field = format!("hostnames: [{hostnames}], ");
        let (snapshot, report) = with_routes(&[&route("a/r", TO_W, &field)]);
        assert_eq!(attached(&snapshot, "a/r").join(" "), expected, "{hostnames}");
        assert!(accepted(&report, "a/r").0, "{hostnames}");
        let told = reasons(&report, "r").join(" ");
        assert_eq!(told, if expected.is_empty() { "NoService" } else { "" }, "{hostnames}");
    }
}

#[test]
fn a_waypoint_takes_routes_that_its_listener_allows() {
    let listener = "{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {ALLOWED}}";
    for (allowed, parent, from, expected) in [
        ("", TO_W_OF_A, "a/r", "Accepted"),
        ("", TO_W_OF_A, "b/r", "NotAllowedByListeners"),
        ("namespaces: {from: All}", TO_W_OF_A, "b/r", "Accepted"),
        ("kinds: [{kind: GRPCRoute}]", TO_W_OF_A, "a/r", "NotAllowedByListeners"),
        ("kinds: [{kind: HTTPRoute}]", TO_W_OF_A, "a/r", "Accepted"),
        ("", "{name: w, namespace: a, sectionName: mesh, port: 15008}", "a/r", "Accepted"),
        ("", "{name: w, namespace: a, sectionName: other}", "a/r", "NoMatchingParent"),
        ("", "{name: w, namespace: a, port: 80}", "a/r", "NoMatchingParent"),
    ] {
        let listener = listener.replace("ALLOWED", allowed);
        let spec = format!("spec: {{gatewayClassName: istio-waypoint, listeners: [{listener}]}}");
        let gateway = object("Gateway", "a/w", "", &spec);
        let others = [bound("a/s", "10.0.0.1"), namespace("b", "", "")];
        let (_, report) = mesh(&[&gateway, &others[0], &others[1], &route(from, parent, "")]);
        assert_eq!(accepted(&report, from).1, expected, "{allowed} {parent} {from}");
    }
}

#[test]
fn other_gateways_are_not_ours_to_speak_of() {
    let ingress = object(
        "Gateway",
        "a/ingress",
        "",
        "spec: {gatewayClassName: nginx, listeners: [{name: web, port: 80, protocol: HTTP}]}",
    );
    let (snapshot, report) = with_routes(&[&ingress, &route("a/r", "{name: ingress}", "")]);
    assert_eq!(attached(&snapshot, "a/r"), [""; 0]);
    let object = ObjectRef::new("HTTPRoute", ObjectName::new("a", "r"));
    assert!(report.conditions_of(&object).is_empty());
}

#[test]
fn a_listener_that_is_not_understood_is_told_of_and_takes_nothing() {
    let allowed = "allowedRoutes: {namespaces: {from: Selector}}";
    let listener = format!("{{name: mesh, port: 15008, protocol: HBONE, {allowed}}}");
    let spec = format!("spec: {{gatewayClassName: istio-waypoint, listeners: [{listener}]}}");
    let gateway = object("Gateway", "a/w", "", &spec);
    let (snapshot, report) = mesh(&[&gateway, &bound("a/s", "10.0.0.1")]);
    assert_eq!(reasons(&report, "w"), ["ListenersNotValid"]);
    assert!(snapshot.waypoints().values().all(|waypoint| !waypoint.ready));
}

#[test]
fn addresses_of_a_gateway_are_ignored_only_where_this_process_serves_it() {
    let spec = "spec: {gatewayClassName: istio-waypoint, addresses: [{value: w.a}], \
                listeners: [{name: mesh, port: 15008, protocol: HBONE}]}";
    let text = object("Gateway", "a/w", "", spec);
    for (served, expected) in [(Served::Here, 1), (Served::ByStatus, 0)] {
        let (objects, report) = objects_in(&[("a.yaml", text.as_bytes())]);
        let (_, report) = translate(&objects, &Settings::default(), served, report);
        let reasons = reasons(&report, "w");
        let told = reasons.iter().filter(|one| *one == "UnsupportedAddress").count();
        assert_eq!(told, expected, "{served:?}");
    }
}
