//! From manifests to what is to be said, by the code that a cluster goes through.

use std::sync::Arc;

use super::*;
use crate::{
    control::status::applied::Routes,
    mesh::{object::Version, snapshot::Settings},
    sync::{Served, objects_in, translate},
};

const MESH: &str = r#"
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: w, namespace: shop, uid: gateway}
spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
status: {addresses: [{type: IPAddress, value: 10.0.0.9}]}
---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: shop, uid: service, labels: {istio.io/use-waypoint: w}}
spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: shop, uid: route, generation: 3}
spec:
  parentRefs: [{group: "", kind: Service, name: s, port: 80}]
  rules: [{backendRefs: [{name: s, port: 80}]}]
"#;

/// A pod of the waypoint.
fn pod(name: &str, ready: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, uid: {name}, \
         labels: {{gateway.networking.k8s.io/gateway-name: w}}}}\n\
         status: {{podIP: 10.0.1.{}, conditions: [{{type: Ready, status: \"{ready}\"}}]}}\n",
        name.len()
    )
}

fn state(manifests: &str) -> State {
    let (objects, report) = objects_in(&[("a.yaml", manifests.as_bytes())]);
    let (snapshot, report) = translate(&objects, &Settings::default(), Served::ByStatus, report);
    State { objects: Arc::new(objects), snapshot: Arc::new(snapshot), report: Arc::new(report) }
}

fn of(state: &State, applied: &Applied, kind: &str) -> Wanted {
    wanted(state, applied).find(|one| one.object.kind == kind).unwrap()
}

/// Status, reason and message of a condition.
fn says(wanted: &Wanted, kind: &str) -> (String, String, String) {
    let entry = wanted.entries.iter().find(|entry| entry.kind == kind).unwrap().clone();
    (entry.status, entry.reason, entry.message)
}

fn routes(generation: i64) -> Routes {
    let name = ObjectName::new("shop", "r");
    let version = Version { uid: "route".to_owned(), generation };
    Routes::from_iter([(ObjectRef::new("HTTPRoute", name), version)])
}

#[test]
fn a_route_is_programmed_when_every_ready_pod_has_applied_this_generation() {
    let manifests = [MESH, &pod("p", "True"), &pod("pp", "True"), &pod("ppp", "False")].concat();
    let state = state(&manifests);
    let programmed = |applied: &Applied| says(&of(&state, applied, "HTTPRoute"), "Programmed");
    let silent = Applied::default();
    let text = "waypoint pod shop/p has not said what it applied, and 1 more";
    assert_eq!(programmed(&silent), ("False".into(), "Pending".into(), text.into()));
    let behind = silent.with("p", routes(3)).with("pp", routes(2));
    let text = "waypoint pod shop/pp has not applied generation 3";
    assert_eq!(programmed(&behind), ("False".into(), "Pending".into(), text.into()));
    let all = behind.with("pp", routes(3));
    let text = "Every ready pod of its waypoints has applied the route";
    assert_eq!(programmed(&all), ("True".into(), "Programmed".into(), text.into()));
}

#[test]
fn a_route_of_another_uid_is_another_route() {
    let state = state(&[MESH, &pod("p", "True")].concat());
    let name = ObjectRef::new("HTTPRoute", ObjectName::new("shop", "r"));
    let version = Version { uid: "earlier".to_owned(), generation: 3 };
    let applied = Applied::default().with("p", Routes::from_iter([(name, version)]));
    assert_eq!(says(&of(&state, &applied, "HTTPRoute"), "Programmed").0, "False");
}

#[test]
fn no_pod_and_no_waypoint_program_nothing() {
    let of_route = |manifests: &str| {
        says(&of(&state(manifests), &Applied::default(), "HTTPRoute"), "Programmed")
    };
    assert_eq!(of_route(MESH).2, "waypoint shop/w has no ready pod");
    let unlabelled = MESH.replace("istio.io/use-waypoint", "other");
    assert_eq!(of_route(&unlabelled).1, "NoWaypoint");
    let in_agents = MESH.replace("uid: gateway", "annotations: {waypoint.dev/placement: node}");
    assert_eq!(of_route(&in_agents).0, "Unknown");
    let orphan = MESH.replace("name: s, port: 80}]\n  rules", "name: t}]\n  rules");
    assert_eq!(of_route(&orphan).1, "Invalid");
}

#[test]
fn what_is_said_is_of_the_generation_that_was_looked_at() {
    let state = state(MESH);
    let route = of(&state, &Applied::default(), "HTTPRoute");
    assert!(route.entries.iter().all(|entry| entry.generation == Some(3)));
    assert_eq!(route.entries.len(), 4);
    let service = of(&state, &Applied::default(), "Service");
    assert!(service.differs());
    assert_eq!(
        says(&service, "istio.io/WaypointBound").2,
        "Successfully attached to waypoint shop/w"
    );
}

#[test]
fn an_object_that_says_it_all_is_left_alone_and_one_that_says_too_much_is_not() {
    let condition = "{type: istio.io/WaypointBound, status: \"True\", reason: WaypointAccepted, \
                     message: Successfully attached to waypoint shop/w, \
                     lastTransitionTime: \"2026-01-01T00:00:00Z\"}";
    let other = condition.replace("istio.io/WaypointBound", "example.com/Other");
    let status = format!("80}}]}}\nstatus: {{conditions: [{other}, {condition}]}}\n---\n");
    let said = MESH.replacen("80}]}\n---\n", &status, 1);
    assert!(!of(&state(&said), &Applied::default(), "Service").differs());
    let unlabelled = said.replace("istio.io/use-waypoint", "other");
    let service = of(&state(&unlabelled), &Applied::default(), "Service");
    assert!(service.differs() && service.entries.is_empty());
}
