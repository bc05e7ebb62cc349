//! What is decided about Services, routes and policies, as their conditions have it.

use super::*;
use crate::mesh::{
    condition::{Condition, Parent},
    object::ObjectRef,
};

/// The conditions of an object, as `type status reason: message`.
fn conditions(report: &Report, kind: &str, name: &str) -> Vec<String> {
    let object = ObjectRef::new(kind, ObjectName::new("a", name));
    let text = |one: &Condition| {
        format!("{} {} {}: {}", one.kind, one.status.as_str(), one.reason, one.message)
    };
    report.conditions_of(&object).iter().map(text).collect()
}

fn bound(metadata: &str, more: &[&str]) -> Vec<String> {
    let gateway = gateway("a/w", "");
    let service = service("a/s", "10.0.0.1", metadata);
    let documents: Vec<&str> = [gateway.as_str(), &service].iter().chain(more).copied().collect();
    conditions(&mesh(&documents).1, "Service", "s")
}

fn route(parents: &str, backends: &str) -> String {
    let spec = format!("spec: {{parentRefs: [{parents}], rules: [{backends}]}}");
    object("HTTPRoute", "a/r", "", &spec)
}

const TO_S: &str = "{group: '', kind: Service, name: s}";

#[test]
fn a_service_is_bound_in_istios_words() {
    let accepted = "istio.io/WaypointBound True WaypointAccepted: \
                    Successfully attached to waypoint a/w";
    assert_eq!(bound(USE, &[]), [accepted]);
    assert!(bound("", &[]).is_empty());
    assert!(bound(", labels: {istio.io/use-waypoint: none}", &[]).is_empty());
    let missing = bound(", labels: {istio.io/use-waypoint: v}", &[]);
    let not_ready =
        "istio.io/WaypointBound False WaypointIsNotReady: waypoint \"a/v\" is not ready";
    assert_eq!(missing, [not_ready]);
}

#[test]
fn a_binding_tells_of_ingress_and_of_a_second_waypoint_that_is_not_attached() {
    let both = ", labels: {istio.io/use-waypoint: w, istio.io/ingress-use-waypoint: \"false\", \
                istio.io/use-waypoint-canary: v}";
    let [told] = &bound(both, &[])[..] else { panic!("one condition") };
    let ending = [
        "Successfully attached to waypoint a/w",
        "Ingress traffic is not using the waypoint, set the istio.io/ingress-use-waypoint label \
         to true if desired.",
        "Canary waypoint not attached: waypoint \"a/v\" is not ready",
    ];
    let ending = &ending.join(". ");
    assert!(told.ends_with(ending.as_str()), "{told}");
    let inherited = namespace("a", "istio.io/ingress-use-waypoint: \"true\"", "");
    let [told] = &bound(USE, &[&inherited])[..] else { panic!("one condition") };
    assert!(told.ends_with("istio.io/ingress-use-waypoint is not supported yet"), "{told}");
}

#[test]
fn each_parent_of_a_route_is_told() {
    let service = service("a/s", "10.0.0.1", "");
    let gone = "{group: '', kind: Service, name: gone, port: 80}";
    let ingress = "{kind: Gateway, name: ingress}";
    let route = route(&[TO_S, gone, ingress].join(", "), "backendRefs: [{name: s, port: 81}]");
    let (_, report) = mesh(&[&service, &route]);
    let told = conditions(&report, "HTTPRoute", "r");
    let expected = [
        "Accepted True Accepted: Route was valid",
        "ResolvedRefs False BackendNotFound: backend a/s has no such port",
        "ResolvedWaypoints False MissingUseWaypointLabel: istio.io/use-waypoint label missing from \
         parent and parent namespace; in ambient mode, route will not be respected",
        "Accepted False NoMatchingParent: parent service: \"a/gone\" not found",
        "ResolvedRefs False BackendNotFound: backend a/s has no such port",
        "ResolvedWaypoints False NoMatchingParent: parent not found",
    ];
    assert_eq!(told, expected);
    let object = ObjectRef::new("HTTPRoute", ObjectName::new("a", "r"));
    let abouts: Vec<Option<&Parent>> =
        report.conditions_of(&object).iter().map(|one| one.about.as_ref()).collect();
    assert_eq!(abouts[3].map(|about| (&*about.name, about.port)), Some(("gone", Some(80))));
}

#[test]
fn an_unsupported_filter_makes_a_route_that_is_not_accepted() {
    let gateway = gateway("a/w", "");
    let service = service("a/s", "10.0.0.1", USE);
    let filter = "filters: [{type: ExtensionRef, extensionRef: {group: g, kind: K, name: n}}]";
    let (_, report) = mesh(&[&gateway, &service, &route(TO_S, filter)]);
    let told = conditions(&report, "HTTPRoute", "r");
    let expected = [
        "Accepted False InvalidFilter: unsupported filter type \"ExtensionRef\"",
        "ResolvedRefs True ResolvedRefs: All references resolved",
        "ResolvedWaypoints True ResolvedWaypoints: All waypoints resolved",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_policy_is_accepted_where_it_is_enforced() {
    let told = |spec: &str| {
        let gateway = gateway("a/w", "");
        let (bound, free) = (service("a/s", "10.0.0.1", USE), service("a/t", "10.0.0.2", ""));
        let policy = object("AuthorizationPolicy", "a/p", "", &format!("spec: {{{spec}}}"));
        conditions(&mesh(&[&gateway, &bound, &free, &policy]).1, "AuthorizationPolicy", "p")
    };
    let to = |names: &[&str]| {
        let target = |name: &&str| format!("{{kind: Service, group: '', name: {name}}}");
        format!("targetRefs: [{}]", names.iter().map(target).collect::<Vec<_>>().join(", "))
    };
    for (spec, expected) in [
        (to(&["s"]), "WaypointAccepted True Accepted: bound to a/w"),
        (
            to(&["t"]),
            "WaypointAccepted False AncestorNotBound: Service a/t is not bound to a waypoint",
        ),
        (
            to(&["s", "t", "u"]),
            "WaypointAccepted True PartiallyInvalid: Invalid targetRefs: Service a/t, Service a/u",
        ),
        (
            to(&["t", "u"]),
            "WaypointAccepted False Invalid: Invalid targetRefs: Service a/t, Service a/u",
        ),
        (
            format!("{}, action: CUSTOM, provider: {{name: x}}", to(&["s"])),
            "WaypointAccepted False UnsupportedAction: action CUSTOM: no provider \"x\"; it denies \
             everything",
        ),
        ("selector: {}".to_owned(), "ZtunnelAccepted True Accepted: attached to ztunnel"),
        (
            "action: AUDIT".to_owned(),
            "ZtunnelAccepted False UnsupportedValue: ztunnel does not support the AUDIT action; it \
             denies nothing anyway",
        ),
        (
            "action: [DENY]".to_owned(),
            "ZtunnelAccepted False Invalid: it is not understood and denies everything to its \
             targets",
        ),
    ] {
        assert_eq!(told(&spec), [expected]);
    }
}

#[test]
fn a_policy_of_which_nothing_is_left_without_requests_has_no_effect() {
    let deny = "spec: {action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]}";
    let policy = object("AuthorizationPolicy", "a/p", "", deny);
    let told = conditions(&mesh(&[&policy]).1, "AuthorizationPolicy", "p");
    assert!(told[0].starts_with("ZtunnelAccepted False UnsupportedValue"), "{told:?}");
    let allow = policy.replace("DENY", "ALLOW");
    let told = conditions(&mesh(&[&allow]).1, "AuthorizationPolicy", "p");
    assert!(told[0].starts_with("ZtunnelAccepted True UnsupportedValue"), "{told:?}");
}
