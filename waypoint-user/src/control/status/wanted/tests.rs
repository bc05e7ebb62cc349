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
    routes_of("HTTPRoute", generation)
}

fn routes_of(kind: &str, generation: i64) -> Routes {
    let name = ObjectName::new("shop", "r");
    let version = Version { uid: "route".to_owned(), generation };
    Routes::from_iter([(ObjectRef::new(kind, name), version)])
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

/// What is outside of the cluster, in two hosts.
const ENTRY: &str = r"
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: e, namespace: shop, generation: 2, labels: {istio.io/use-waypoint: w}}
spec:
  hosts: [a.example.com, b.example.com]
  addresses: [192.0.2.1]
  ports: [{number: 80, protocol: HTTP, name: http}]
  resolution: STATIC
status: {addresses: [{value: 240.0.0.1}]}
";

#[test]
fn a_grpc_route_is_programmed_when_a_route_of_its_own_kind_was_applied() {
    let state = state(&[&MESH.replace("HTTPRoute", "GRPCRoute"), &*pod("p", "True")].concat());
    let programmed = |applied: &Applied| says(&of(&state, applied, "GRPCRoute"), "Programmed").0;
    let other = Applied::default().with("p", routes(3));
    assert_eq!(programmed(&other), "False");
    let behind = Applied::default().with("p", routes_of("GRPCRoute", 2));
    assert_eq!(programmed(&behind), "False");
    let applied = Applied::default().with("p", routes_of("GRPCRoute", 3));
    assert_eq!(programmed(&applied), "True");
    let route = of(&state, &applied, "GRPCRoute");
    assert_eq!(route.entries.len(), 4);
    assert!(route.entries.iter().all(|entry| entry.generation == Some(3) && entry.about.is_some()));
}

#[test]
fn a_route_of_a_service_entry_is_programmed_by_the_waypoint_of_its_hosts() {
    let parent = "group: networking.istio.io, kind: ServiceEntry, name: e";
    let mesh = MESH.replace("group: \"\", kind: Service, name: s", parent);
    let state = state(&[&mesh, ENTRY, &*pod("p", "True")].concat());
    let programmed = |applied: &Applied| says(&of(&state, applied, "HTTPRoute"), "Programmed").0;
    assert_eq!(programmed(&Applied::default()), "False");
    assert_eq!(programmed(&Applied::default().with("p", routes(3))), "True");
}

#[test]
fn an_entry_says_which_waypoint_it_is_bound_to_beside_what_others_say() {
    let wanted = |entry: &str| {
        let state = state(&[MESH, entry].concat());
        of(&state, &Applied::default(), "ServiceEntry")
    };
    let bound = wanted(ENTRY);
    let text = "Successfully attached to waypoint shop/w";
    assert_eq!(says(&bound, "istio.io/WaypointBound").2, text);
    assert!(bound.differs() && bound.entries.iter().all(|entry| entry.generation == Some(2)));
    let condition = "{type: istio.io/WaypointBound, status: \"True\", reason: WaypointAccepted, \
                     message: Successfully attached to waypoint shop/w, observedGeneration: \"2\"}";
    let other = "{type: example.com/Other, status: \"True\"}";
    let said = format!("conditions: [{other}, {condition}], addresses:");
    let said = ENTRY.replace("status: {addresses:", &format!("status: {{{said}"));
    assert!(!wanted(&said).differs());
    let unlabelled = wanted(&said.replace("istio.io/use-waypoint", "other"));
    assert!(unlabelled.differs() && unlabelled.entries.is_empty());
}

#[test]
fn an_entry_of_all_hosts_of_a_domain_says_that_it_has_no_waypoint() {
    let entry = ENTRY.replace("istio.io/use-waypoint", "other");
    let entry = entry.replace("a.example.com", "\"*.example.com\"");
    let entry = of(&state(&[MESH, &entry].concat()), &Applied::default(), "ServiceEntry");
    let (status, reason, _) = says(&entry, "istio.io/WaypointMissing");
    assert_eq!((&*status, &*reason), ("True", "NoWaypointForWildcardService"));
}

#[test]
fn a_workload_entry_says_which_waypoint_it_is_bound_to() {
    let entry = "---\napiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: v, \
                 namespace: shop, generation: 5, labels: {istio.io/use-waypoint: w}}\n\
                 spec: {address: 192.0.2.9}\n";
    let all = "uid: gateway, labels: {istio.io/waypoint-for: all}";
    let mesh = MESH.replace("uid: gateway", all);
    let entry = of(&state(&[&*mesh, entry].concat()), &Applied::default(), "WorkloadEntry");
    assert!(entry.differs());
    assert_eq!(entry.entries[0].kind, "istio.io/WaypointBound");
    assert_eq!(entry.entries[0].generation, Some(5));
}

#[test]
fn a_traffic_policy_is_told_of_each_of_its_targets() {
    let policy = "---\napiVersion: waypoint.dev/v1alpha1\nkind: TrafficPolicy\n\
                  metadata: {name: p, namespace: shop, uid: policy, generation: 2}\n\
                  spec: {targetRefs: [{kind: Service, name: s}, {kind: Service, name: t}]}\n\
                  status: {ancestors: [{ancestorRef: {group: '', kind: Service, name: s}, \
                  controllerName: istio.io/mesh-controller, conditions: []}]}\n";
    let state = state(&[MESH, policy].concat());
    let wanted = of(&state, &Applied::default(), "TrafficPolicy");
    let said: Vec<_> = wanted
        .entries
        .iter()
        .map(|entry| (entry.about.clone().unwrap().name, entry.status.as_str(), entry.generation))
        .collect();
    assert_eq!(said, [("s".to_owned(), "True", Some(2)), ("t".to_owned(), "False", Some(2))]);
    assert!(wanted.differs());
}
