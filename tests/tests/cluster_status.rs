//! What the API server says of Services, routes and policies is what was decided about them.
//!
//! Status is written by the code that the controller runs while it leads, in this process and once
//! for all stories; waypoints are processes, or sockets that say what the story wants.

#[path = "cluster_status/stage.rs"]
mod stage;

use anyhow::Result;
use nix::sys::signal::Signal;

use stage::{Stage, Truth::*, route, service, until};

#[test]
fn a_service_says_which_waypoint_it_is_bound_to_or_why_to_none() -> Result<()> {
    let stage = Stage::new("bound")?;
    stage.gateway("waypoint", "service")?;
    stage.apply(&service("reviews", "waypoint"))?;
    let bound = format!("Successfully attached to waypoint {}/waypoint", stage.namespace);
    stage.service_says("reviews", &(True, "WaypointAccepted", &bound))?;

    stage.label("service/reviews", "istio.io/use-waypoint=missing")?;
    let missing = format!("waypoint \"{}/missing\" is not ready", stage.namespace);
    stage.service_says("reviews", &(False, "WaypointIsNotReady", &missing))?;

    stage.gateway("inner", "workload")?;
    stage.label("service/reviews", "istio.io/use-waypoint=inner")?;
    let wrong = format!(
        "attempting to bind to traffic type \"service\" which the waypoint \"{}/inner\" does not \
         support",
        stage.namespace
    );
    stage.service_says("reviews", &(False, "UnsupportedTrafficType", &wrong))?;

    let other = Stage::new("other")?;
    let elsewhere = format!("istio.io/use-waypoint-namespace={}", other.namespace);
    other.gateway("waypoint", "service")?;
    stage.label("service/reviews", &elsewhere)?;
    stage.label("service/reviews", "istio.io/use-waypoint=waypoint")?;
    let denied = format!(
        "we are not permitted to attach to waypoint \"{}/waypoint\" (missing allowedRoutes?)",
        other.namespace
    );
    stage.service_says("reviews", &(False, "AttachmentDenied", &denied))
}

#[test]
fn what_a_service_says_of_its_waypoint_goes_with_the_label() -> Result<()> {
    let stage = Stage::new("label")?;
    stage.gateway("waypoint", "service")?;
    stage.apply(&service("reviews", "waypoint"))?;
    until("reviews is bound", || Ok(stage.bound("reviews")?.is_some()))?;
    stage.label("service/reviews", "istio.io/use-waypoint-")?;
    until("reviews says nothing", || Ok(stage.bound("reviews")?.is_none()))
}

#[test]
fn a_time_changes_only_with_its_status() -> Result<()> {
    let stage = Stage::new("time")?;
    stage.gateway("waypoint", "service")?;
    stage.gateway("second", "service")?;
    stage.apply(&service("reviews", "waypoint"))?;
    let bound =
        |name: &str| format!("Successfully attached to waypoint {}/{name}", stage.namespace);
    stage.service_says("reviews", &(True, "WaypointAccepted", &bound("waypoint")))?;
    let since = |condition: Option<serde_json::Value>| {
        condition.and_then(|one| Some(one.get("lastTransitionTime")?.as_str()?.to_owned()))
    };
    let before = since(stage.bound("reviews")?);
    assert!(before.is_some());
    stage.label("service/reviews", "istio.io/use-waypoint=second")?;
    stage.service_says("reviews", &(True, "WaypointAccepted", &bound("second")))?;
    assert_eq!(since(stage.bound("reviews")?), before);
    Ok(())
}

#[test]
fn a_route_tells_each_parent_what_became_of_it() -> Result<()> {
    let stage = Stage::new("route")?;
    stage.apply(&service("reviews", ""))?;
    stage.apply(&route("r", &["reviews", "missing"], "nowhere"))?;
    let name = &stage.namespace;
    let missing = format!("parent service: \"{name}/missing\" not found");
    stage.route_says("r", "missing", "Accepted", &(False, "NoMatchingParent", &missing))?;
    stage.route_says("r", "reviews", "Accepted", &(True, "Accepted", "Route was valid"))?;
    let backend = format!("backend(nowhere.{name}.svc.cluster.local) not found");
    stage.route_says("r", "reviews", "ResolvedRefs", &(False, "BackendNotFound", &backend))?;
    let label = "istio.io/use-waypoint label missing from parent and parent namespace; in ambient \
                 mode, route will not be respected";
    let told = (False, "MissingUseWaypointLabel", label);
    stage.route_says("r", "reviews", "ResolvedWaypoints", &told)?;

    stage.gateway("waypoint", "service")?;
    stage.apply(&service("reviews", "waypoint"))?;
    stage.apply(&route("r", &["reviews"], "reviews"))?;
    let all = (True, "ResolvedRefs", "All references resolved");
    stage.route_says("r", "reviews", "ResolvedRefs", &all)?;
    let all = (True, "ResolvedWaypoints", "All waypoints resolved");
    stage.route_says("r", "reviews", "ResolvedWaypoints", &all)?;
    until("the other parent is forgotten", || {
        Ok(stage.route_condition("r", "missing", "Accepted")?.is_none())
    })?;
    let route = stage.get("httproute/r")?;
    let generation = route.pointer("/metadata/generation").cloned();
    let accepted = stage.route_condition("r", "reviews", "Accepted")?;
    assert_eq!(accepted.and_then(|one| one.get("observedGeneration").cloned()), generation);
    Ok(())
}

#[test]
fn a_policy_says_who_enforces_it() -> Result<()> {
    let stage = Stage::new("policy")?;
    stage.apply(&service("reviews", ""))?;
    let targets = "targetRefs: [{kind: Service, name: reviews, group: ''}]";
    stage.apply(&policy("deny", targets))?;
    let unbound = format!("Service {}/reviews is not bound to a waypoint", stage.namespace);
    stage.policy_says("deny", "WaypointAccepted", &(False, "AncestorNotBound", &unbound))?;
    stage.gateway("waypoint", "service")?;
    stage.label("service/reviews", "istio.io/use-waypoint=waypoint")?;
    let bound = format!("bound to {}/waypoint", stage.namespace);
    stage.policy_says("deny", "WaypointAccepted", &(True, "Accepted", &bound))?;

    let partly = "targetRefs: [{kind: Service, name: reviews, group: ''}, {kind: Service, name: \
                  gone, group: ''}]";
    stage.apply(&policy("deny", partly))?;
    let gone = format!("Invalid targetRefs: Service {}/gone", stage.namespace);
    stage.policy_says("deny", "WaypointAccepted", &(True, "PartiallyInvalid", &gone))?;

    stage.apply(&policy("pods", "selector: {matchLabels: {app: reviews}}"))?;
    let attached = (True, "Accepted", "attached to ztunnel");
    stage.policy_says("pods", "ZtunnelAccepted", &attached)?;
    Ok(())
}

#[test]
fn what_other_controllers_say_stays() -> Result<()> {
    let stage = Stage::new("others")?;
    stage.gateway("waypoint", "service")?;
    stage.apply(&service("reviews", "waypoint"))?;
    stage.apply(&route("r", &["reviews"], "reviews"))?;
    until("the route is accepted", || {
        Ok(stage.route_condition("r", "reviews", "Accepted")?.is_some())
    })?;
    stage.another_controller_speaks("httproute/r")?;
    stage.apply(&route("r", &["reviews"], "nowhere"))?;
    until("the backend is missed", || {
        let refs = stage.route_condition("r", "reviews", "ResolvedRefs")?;
        Ok(refs.is_some_and(|one| one.get("status").and_then(|it| it.as_str()) == Some("False")))
    })?;
    let parents = stage.get("httproute/r")?;
    let parents = parents.pointer("/status/parents").and_then(|it| it.as_array()).cloned();
    let names = parents.unwrap_or_default();
    let names: Vec<_> =
        names.iter().filter_map(|one| one.get("controllerName")?.as_str()).collect();
    assert_eq!(names, ["example.com/other", "istio.io/mesh-controller"]);
    Ok(())
}

#[test]
fn nothing_is_written_while_nothing_changes() -> Result<()> {
    let stage = Stage::new("idle")?;
    stage.gateway("waypoint", "service")?;
    stage.apply(&service("reviews", "waypoint"))?;
    stage.apply(&route("r", &["reviews"], "reviews"))?;
    stage.apply(&policy(
        "deny",
        "targetRefs: [{kind: Gateway, name: waypoint, \
                                 group: gateway.networking.k8s.io}]",
    ))?;
    let pending = format!("waypoint {}/waypoint has no ready pod", stage.namespace);
    stage.route_says("r", "reviews", "Programmed", &(False, "Pending", &pending))?;
    until("reviews is bound", || Ok(stage.bound("reviews")?.is_some()))?;
    until("the policy is bound", || {
        Ok(stage.condition("authorizationpolicy/deny", "WaypointAccepted")?.is_some())
    })?;
    let versions = || -> Result<Vec<String>> {
        let objects = ["service/reviews", "httproute/r", "authorizationpolicy/deny"];
        objects.iter().map(|object| stage.version(object)).collect()
    };
    let before = versions()?;
    // The controller looks at everything again whenever something changes.
    for round in 0..3 {
        let name = format!("busy-{round}");
        stage.apply(&service(&name, "waypoint"))?;
        until("the other Service is bound", || Ok(stage.bound(&name)?.is_some()))?;
    }
    assert_eq!(versions()?, before);
    Ok(())
}

#[test]
fn a_route_is_programmed_when_the_last_ready_pod_has_applied_it() -> Result<()> {
    let stage = Stage::new("applied")?;
    stage.gateway("waypoint", "service")?;
    stage.apply(&service("reviews", "waypoint"))?;
    let fast = stage.waypoint_pod("fast", "waypoint")?;
    let slow = stage.waypoint_pod("slow", "waypoint")?;
    stage.apply(&route("r", &["reviews"], "reviews"))?;
    let all = (True, "Programmed", "Every ready pod of its waypoints has applied the route");
    stage.route_says("r", "reviews", "Programmed", &all)?;

    slow.signal(Signal::SIGSTOP)?;
    stage.apply(&route("r", &["reviews"], "reviews").replace("/old", "/new"))?;
    let waits = format!("waypoint pod {}/slow has not applied generation 2", stage.namespace);
    stage.route_says("r", "reviews", "Programmed", &(False, "Pending", &waits))?;

    slow.signal(Signal::SIGCONT)?;
    stage.route_says("r", "reviews", "Programmed", &all)?;
    drop(fast);
    Ok(())
}

#[test]
fn a_grpc_route_and_entries_say_what_became_of_them() -> Result<()> {
    let stage = Stage::new("kinds")?;
    stage.gateway("waypoint", "all")?;
    let pod = stage.waypoint_pod("proxy", "waypoint")?;
    stage.apply(OUTSIDE)?;
    let addresses = r#"{"status":{"addresses":[{"value":"240.0.0.1"}]}}"#;
    stage.patch_status("serviceentry/outside", addresses)?;
    let bound = format!("Successfully attached to waypoint {}/waypoint", stage.namespace);
    for entry in ["serviceentry/outside", "workloadentry/machine"] {
        let told = (True, "WaypointAccepted", &*bound);
        stage.object_says(entry, "istio.io/WaypointBound", &told)?;
    }
    let entry = stage.get("serviceentry/outside")?;
    let address = entry.pointer("/status/addresses/0/value").and_then(|value| value.as_str());
    assert_eq!(address, Some("240.0.0.1"));

    let accepted = (True, "Accepted", "Route was valid");
    stage.route_says("grpcroute/r", "outside", "Accepted", &accepted)?;
    let all = (True, "Programmed", "Every ready pod of its waypoints has applied the route");
    stage.route_says("grpcroute/r", "outside", "Programmed", &all)?;

    stage.label("serviceentry/outside", "istio.io/use-waypoint-")?;
    until("the entry says nothing", || {
        Ok(stage.condition("serviceentry/outside", "istio.io/WaypointBound")?.is_none())
    })?;
    let none = (False, "NoWaypoint", "no waypoint stands before the parent");
    stage.route_says("grpcroute/r", "outside", "Programmed", &none)?;
    drop(pod);
    Ok(())
}

/// What is outside of the cluster, and a route to it.
const OUTSIDE: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside, labels: {istio.io/use-waypoint: waypoint}}
spec:
  hosts: [outside.example.com]
  ports: [{number: 80, protocol: GRPC, name: grpc}]
  resolution: STATIC
  endpoints: [{address: 192.0.2.7}]
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: machine, labels: {istio.io/use-waypoint: waypoint}}
spec: {address: 192.0.2.8}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: r}
spec:
  parentRefs: [{group: networking.istio.io, kind: ServiceEntry, name: outside}]
  rules: [{matches: [{method: {service: shop.Reviews}}]}]
";

/// A policy that denies a path.
fn policy(name: &str, target: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: {name}}}\n\
         spec: {{{target}, action: DENY, rules: [{{from: [{{source: {{namespaces: [bad]}}}}]}}]}}\n"
    )
}

#[test]
fn routes_of_connections_say_what_became_of_them_and_who_comes_before_them() -> Result<()> {
    let stage = Stage::new("streams")?;
    stage.gateway("waypoint", "service")?;
    let pod = stage.waypoint_pod("proxy", "waypoint")?;
    stage.apply(DATABASE)?;
    let accepted = (True, "Accepted", "Route was valid");
    let all = (True, "Programmed", "Every ready pod of its waypoints has applied the route");
    for route in ["tcproute/first", "tlsroute/named"] {
        stage.route_says(route, "db", "Accepted", &accepted)?;
        stage.route_says(route, "db", "Programmed", &all)?;
    }
    let resolved = (True, "ResolvedRefs", "All references resolved");
    stage.route_says("tcproute/first", "db", "ResolvedRefs", &resolved)?;
    let why = format!(
        "TLSRoute {0}/named is attached to port 443 of {0}/db and more specific",
        stage.namespace
    );
    stage.route_says("tcproute/behind", "db", "Accepted", &(False, "Conflicted", &why))?;
    let none = (False, "Invalid", "the parent does not accept the route");
    stage.route_says("tcproute/behind", "db", "Programmed", &none)?;
    drop(pod);
    Ok(())
}

/// A Service with two opaque ports, and routes of its connections.
const DATABASE: &str = "
apiVersion: v1
kind: Service
metadata: {name: db, labels: {istio.io/use-waypoint: waypoint}}
spec: {ports: [{name: tcp-sql, port: 5432}, {name: tls, port: 443}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {name: first}
spec:
  parentRefs: [{group: '', kind: Service, name: db, port: 5432}]
  rules: [{backendRefs: [{name: db, port: 5432}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: {name: named}
spec:
  parentRefs: [{group: '', kind: Service, name: db, port: 443}]
  hostnames: [db.example.com]
  rules: [{backendRefs: [{name: db, port: 443}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {name: behind}
spec:
  parentRefs: [{group: '', kind: Service, name: db, port: 443}]
  rules: [{backendRefs: [{name: db, port: 5432}]}]
";

#[test]
fn a_traffic_policy_tells_its_targets_whether_it_holds() -> Result<()> {
    let stage = Stage::new("traffic")?;
    stage.gateway("waypoint", "service")?;
    stage.apply(&service("reviews", "waypoint"))?;
    stage.apply(&traffic_policy("older", "retry: {attempts: 2}"))?;
    let bound =
        format!("attached to Service {0}/reviews, behind waypoint {0}/waypoint", stage.namespace);
    let accepted = (True, "Accepted", &*bound);
    stage.target_hears("trafficpolicy/older", "reviews", &accepted)?;
    // Which of two is older is told by their names where it cannot be told by seconds.
    stage.apply(&traffic_policy("younger", "retry: {attempts: 3}"))?;
    let why =
        format!("TrafficPolicy {}/older is older and attached to the same target", stage.namespace);
    stage.target_hears("trafficpolicy/younger", "reviews", &(False, "Conflicted", &why))?;
    // The schema lets it pass; what it means is nothing.
    stage.apply(&traffic_policy("unread", "fault: {abort: {percentage: 1}}"))?;
    until("what never was valid says so", || {
        let told = stage.target_condition("trafficpolicy/unread", "reviews")?;
        Ok(told.is_some_and(|one| one["status"] == "False" && one["reason"] == "Invalid"))
    })?;
    stage.apply(&traffic_policy("unread", "fault: {abort: {httpStatus: 503, percentage: 1}}"))?;
    stage.target_hears("trafficpolicy/unread", "reviews", &(False, "Conflicted", &why))
}

/// A policy of ours for `reviews`.
fn traffic_policy(name: &str, rest: &str) -> String {
    format!(
        "apiVersion: waypoint.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: {{name: {name}}}\n\
         spec: {{targetRefs: [{{kind: Service, name: reviews}}], {rest}}}\n"
    )
}
